@0xa11c0de0f00d000b;
using Capos = import "capos.capnp";
using import "notification.capnp".Signaller;

interface Timer $Capos.kernelHosted {
  # Monotonic time since boot.

  now @0 () -> (ns :UInt64);
  # Nanoseconds since boot.

  sleepUntil @1 (ns :UInt64) -> ();
  # Completes at or after that time; at once if it has passed.

  alarm @2 (signaller :Signaller) -> (alarm :Alarm);
  # An alarm that is not set. It counts as one entry of an endpoint.
}

interface Alarm @0xf11c0de0f00d0030 $Capos.kernelHosted {
  # A time that ends in a notification. Goes off no more when its last copy is gone.

  set @0 (ns :UInt64) -> ();
  # Signals once, at or after that time since boot; at once if it has passed. What was set before counts no more.

  cancel @1 () -> (wasSet :Bool);
  # Goes off no more until it is set again. `wasSet` is false when there was nothing to go off, or it has.
}
