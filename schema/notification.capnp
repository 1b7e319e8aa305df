@0xa11c0de0f00d0012;
using Capos = import "capos.capnp";

interface Notification @0xf11c0de0f00d0013 $Capos.kernelHosted {
  # A word of bits that some set and others wait for: an event carries no data, and it never has to wait itself. Bits that are set
  # already stay set, so however often they are set before somebody looks, it is one event.

  wait @0 () -> (bits :UInt64);
  # Completes as soon as any bit is set, with all that are, and clears them. Several may wait; the first gets all bits. At most eight at
  # a time: another is `wrongState`.

  poll @1 () -> (bits :UInt64);
  # The bits that are set, possibly none; clears them.

  mint @2 (bits :UInt64, lost :UInt64) -> (signaller :Signaller);
  # A capability that sets these bits and can do nothing else; `invalidArgument` when there are none. When its last copy is gone, the
  # bits of `lost` are set: whoever could signal has ended, or gave it up.
}

interface Signaller @0xf11c0de0f00d0014 $Capos.kernelHosted {
  # Sets its bits of one notification.

  signal @0 () -> ();
  # Sets them, and wakes who waits. `disconnected` when the last capability to wait with is gone.
}
