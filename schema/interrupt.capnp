@0xa11c0de0f00d0011;
using Capos = import "capos.capnp";
using import "notification.capnp".Signaller;

interface Interrupt $Capos.kernelHosted {
  # One interrupt line. Masked until the first `wait`; each `wait` unmasks it, and its firing masks it again, so a driver that
  # stops answering can not be flooded.

  wait @0 () -> (count :UInt64);
  # Completes when the line has fired; `count` is how often it has in all. One wait at a time: another is `wrongState`.

  mask @1 () -> ();
  # Masks the line and ends a pending wait with `canceled`.

  bind @2 (signaller :Signaller) -> ();
  # From now on the line's firing also signals, in place of any signaller bound before. It counts as one entry of an endpoint. The line
  # stays masked until `acknowledge`, and whenever it has fired.

  unbind @3 () -> ();
  # Its firing signals nobody.

  acknowledge @4 () -> ();
  # Unmasks the line without a wait.
}

interface InterruptController @0xf11c0de0f00d0012 $Capos.kernelHosted {
  # The legacy interrupt lines, for init to hand out one by one.

  isa @0 (line :UInt8) -> (interrupt :Interrupt);
  # The line of that ISA number (COM1 is 4), routed as ACPI says. `exists` while somebody holds it, `notFound` if there is none.
}
