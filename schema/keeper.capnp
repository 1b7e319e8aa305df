@0xa11c0de0f00d0107;
using Capos = import "capos.capnp";
using import "control.capnp".Control;
using import "process_handle.capnp".ProcessHandle;

interface Keeper {
  # What init does for the supervisor, and keeps for the one after it. Init decides nothing: it starts what the manifest says with what the
  # manifest gives, and it holds every process and every endpoint, so that nothing of a service depends on the life of its supervisor.
  # `service` is a service's number in the manifest.

  start @0 (service :UInt32, program :Text) -> (epoch :UInt32, process :UInt64);
  # Starts an instance, beside any that run already. `epoch` counts the instances of a service from 1. The program is that of the manifest or
  # of the last `settle`, or the boot file named here.

  instance @1 (service :UInt32, above :UInt32) -> (epoch :UInt32, process :UInt64, handle :ProcessHandle, program :Text);
  # The first instance with an epoch above `above` that was not buried; `notFound` when there is none.

  control @2 (service :UInt32, epoch :UInt32) -> (control :Control);
  # How to speak to that instance; `notFound` when it is not there or has promised nothing.

  bury @3 (service :UInt32, epoch :UInt32) -> ();
  # Forgets an instance that has ended; `wrongState` when it has not.

  settle @4 (service :UInt32, epoch :UInt32) -> ();
  # From now on the service is the program of this instance.

  facet @5 (client :UInt32, name :Text) -> (facet :Capability);
  # What the manifest gives to service `client` under that name, if another service exports it; else `notFound`.

  close @6 (service :UInt32) -> ();
  # Nobody will serve there: calls that wait at its endpoint end with `disconnected`, and so do those made later. The next start makes another endpoint.

  note @7 (service :UInt32, page :UInt8, data :Data) -> ();
  # Keeps up to 3,000 bytes for the next supervisor, in place of what that page (0 to 5) held.

  noted @8 (service :UInt32, page :UInt8) -> (data :Data);
  # What a page holds; empty when nothing.

  supervisor @9 () -> (process :UInt64, deaths :UInt32, sinceNs :UInt64);
  # The supervisor itself: how often one died, and when this one was started.

  kill @10 () -> ();
  # Ends the supervisor, which is then started again.

  reboot @11 () -> ();
  # Resets the machine.

  myself @12 () -> (handle :ProcessHandle);
  # The process of the supervisor itself, for who may debug it.
}
