@0xa11c0de0f00d000d;
using Capos = import "capos.capnp";

interface EntropySource $Capos.kernelHosted {
  # Random bytes fit for keys. Absent or failing hardware is an error, never weaker bytes.

  fill @0 (length :UInt32) -> (data :Data);
  # At most 1,024 bytes: the processor's, hidden under a mask that depends on all that the pool was fed. `unsupported` when the processor
  # has no RDRAND, `deviceFault` when it fails its health check; no feed makes up for that.
  fed @1 () -> (times :UInt64);
  # How often the pool was fed through `EntropySink`.
}

interface EntropySink $Capos.kernelHosted {
  # The other end: bytes of devices are mixed into the pool. Nothing can be read here, and whatever comes in, nothing that leaves the source gets
  # easier to guess.

  feed @0 (data :Data) -> ();
  # Exactly 64 bytes, else `invalidArgument`. Each feed counts, in the order in which they come.
}
