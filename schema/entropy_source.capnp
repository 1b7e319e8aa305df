@0xa11c0de0f00d000d;
using Capos = import "capos.capnp";

interface EntropySource $Capos.kernelHosted {
  # Random bytes fit for keys. Absent or failing hardware is an error, never weaker bytes.

  fill @0 (length :UInt32) -> (data :Data);
  # At most 1,024 bytes. `unsupported` when the processor has no RDRAND, `deviceFault` when it fails its health check.
}
