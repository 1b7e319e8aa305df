@0xa11c0de0f00d0103;
using Capos = import "capos.capnp";
using import "process_handle.capnp".TraceKind;

enum ServiceState {
  waiting @0;
  running @1;
  ended @2;
  failed @3;
  killed @4;
  starting @5;
  # Its process runs and has not said yet that it is ready.
}

enum ServiceHealth {
  unasked @0;
  # It promised nothing.
  well @1;
  late @2;
  # It was asked and has not answered yet.
  waits @3;
  # It was well when it was asked last, and waited for a device.
}

interface Services {
  # What the manifest says and what became of it: for the person who looks after the machine.

  list @0 (cursor :UInt32) -> (next :UInt32, state :ServiceState, process :UInt64, exitCode :Int64, name :Text, epoch :UInt32,
          restarts :UInt32, health :ServiceHealth, uptimeNs :UInt64, lastEnd :Text);
  # The service at or after `cursor`; `notFound` beyond the last. `epoch` counts its instances, `restarts` those that the supervisor started
  # because one had ended; `lastEnd` says how the last one ended, in words.

  kill @1 (name :Text) -> ();
  # Ends a service; `notFound` if there is none of that name, `wrongState` if it is not running.

  start @2 (name :Text) -> ();
  # Starts a service that has ended, with exactly the capabilities that the manifest gives it.

  replace @3 (name :Text, program :Text) -> (epoch :UInt32);
  # Starts a service from another boot file, beside the instance that runs, and when it is ready lets the old one answer what it has received,
  # and end. Both serve the same endpoint: no call is lost and no client has to know. Answers when the new one serves; if it does not come to
  # that, nothing has changed. Until the machine is reset the service is that program. One that promises no health shows by its life that it is one:
  # if it ends within the window of its restart policy, the service is what it was before.

  grant @4 (capability :Capability, service :Text, name :Text) -> ();
  # Gives a running service a capability more, through its `Control`. `wrongState` if it has none. The next instance does not get it.

  crash @5 (index :UInt32, service :Text) -> (epoch :UInt32, process :UInt64, timeNs :UInt64, program :Text, record :Data);
  # The record of its last fault, of the one before, ...: 0 to 3; `notFound` when there are no more. See `capos-restart` for what is in it;
  # the last 32 records of the trace are.

  trace @6 (cursor :UInt64, service :Text, ended :Bool) -> (next :UInt64, lost :UInt64, timeNs :UInt64, thread :UInt64, first :UInt64, second :UInt64,
          method :UInt16, operation :UInt8, kind :TraceKind, epoch :UInt32, ended :Bool);
  # What a service did last: see `ProcessHandle.trace`. `epoch` says which instance did, the one that runs, or, if none does or `ended` asks for
  # it, the last one that has `ended`; of that the last 32 records are kept. `wrongState` when there was none.

  setTrace @7 (on :Bool, service :Text) -> ();
  # Whether its calls are recorded, too, until its instance ends. `wrongState` when it is not running, or somebody debugs it.
}
