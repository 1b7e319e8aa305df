@0xa11c0de0f00d0010;
using Capos = import "capos.capnp";

interface IoPort $Capos.kernelHosted {
  # A range of I/O ports. Offsets are relative to its start; `invalidArgument` outside. Ports that the kernel itself uses are
  # `denied` whatever the range says. Of those of a device its policy says what may be read and written, and they are not divided, nor is a FIFO filled.

  read8 @0 (offset :UInt16) -> (value :UInt8);
  # One byte in.

  write8 @1 (offset :UInt16, value :UInt8) -> ();
  # One byte out.

  read16 @2 (offset :UInt16) -> (value :UInt16);
  # Two bytes in.

  write16 @3 (offset :UInt16, value :UInt16) -> ();
  # Two bytes out.

  read32 @4 (offset :UInt16) -> (value :UInt32);
  # Four bytes in.

  write32 @5 (offset :UInt16, value :UInt32) -> ();
  # Four bytes out.

  writeBytes @6 (offset :UInt16, data :Data) -> ();
  # All bytes out through the one port at `offset`, in order: fills a FIFO in one call.

  readBytes @7 (offset :UInt16, length :UInt16) -> (data :Data);
  # `length` bytes (at most 1,024) in from the one port at `offset`.

  info @8 () -> (base :UInt16, length :UInt32);
  # The range.

  subrange @9 (base :UInt16, length :UInt32) -> (ports :IoPort);
  # A facet of part of this range, `base` absolute. `denied` when some of it is the kernel's own (interrupt controllers, timers,
  # clock, DMA controllers, PCI configuration, power management).
}
