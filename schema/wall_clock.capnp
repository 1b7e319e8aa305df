@0xa11c0de0f00d000c;
using Capos = import "capos.capnp";

enum ClockSource {
  none @0;
  firmware @1;
  rtc @2;
}

interface WallClock $Capos.kernelHosted {
  # Time of day.

  now @0 () -> (unixNs :UInt64, source :ClockSource);
  # Nanoseconds since 1970-01-01 UTC, and where that knowledge comes from.
}
