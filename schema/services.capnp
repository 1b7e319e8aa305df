@0xa11c0de0f00d0103;
using Capos = import "capos.capnp";

enum ServiceState {
  waiting @0;
  running @1;
  ended @2;
  failed @3;
  killed @4;
}

interface Services {
  # What init started from the manifest.

  list @0 (cursor :UInt32) -> (next :UInt32, state :ServiceState, process :UInt64, exitCode :Int64, name :Text);
  # The service at or after `cursor`; `notFound` beyond the last.

  kill @1 (name :Text) -> ();
  # Ends a service; `notFound` if there is none of that name, `wrongState` if it is not running.

  start @2 (name :Text) -> ();
  # Starts a service that has ended, with exactly the capabilities that the manifest gives it.
}
