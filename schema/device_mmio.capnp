@0xa11c0de0f00d0062;
using Capos = import "capos.capnp";

interface DeviceMmio $Capos.kernelHosted {
  # Registers of a device. What may be done with which, the device's policy says: `denied` otherwise, and `invalidArgument` for what is not
  # aligned or outside. Behind the first 2 MiB they can only be mapped: `unsupported` otherwise.

  info @0 () -> (size :UInt64);
  # Bytes.

  read @1 (offset :UInt32, width :UInt8) -> (value :UInt64);
  # A register of 1, 2, 4 or 8 bytes.

  write @2 (offset :UInt32, width :UInt8, value :UInt64) -> ();
  # The same. Of a register of which some bits may be written, the others keep what they are. A register that takes an address takes a token of
  # the device's pool.

  batch @3 (accesses :Data) -> (values :Data);
  # Many, in order. Each is 16 bytes: offset (4), width (1), 1 to write (1), 0 (2), value (8). All are checked before the first is done. Answers
  # with 8 bytes each, 0 for writes. At most 128.

  map @4 (offset :UInt32, size :UInt32, writable :Bool) -> (address :UInt64);
  # Maps whole pages of registers into the caller's memory, if the policy lets the driver have all that is in them. They are gone from there when
  # the device is reset or given up.
}
