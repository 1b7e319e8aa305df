@0xa11c0de0f00d0108;
using import "process_handle.capnp".ProcessHandle;

interface Processes {
  # The processes of services, and of the supervisor itself, for who debugs or kills them. A handle is everything about a process, so this is an
  # export of the supervisor of its own: who looks after services has no use for it, and no system that ships gives it to anybody.

  open @0 (service :Text) -> (process :UInt64, epoch :UInt32, handle :ProcessHandle);
  # The instance of a service that serves or is about to, or the `supervisor`; `notFound` if there is no such service, `wrongState` if none runs.
}
