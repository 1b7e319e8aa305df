@0xa11c0de0f00d000b;
using Capos = import "capos.capnp";

interface Timer $Capos.kernelHosted {
  # Monotonic time since boot.

  now @0 () -> (ns :UInt64);
  # Nanoseconds since boot.

  sleepUntil @1 (ns :UInt64) -> ();
  # Completes at or after that time; at once if it has passed.
}
