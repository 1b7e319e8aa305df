@0xa11c0de0f00d0101;
using Capos = import "capos.capnp";

interface ByteStream {
  # Bytes in order: serial lines, pipes, consoles.

  read @0 (max :UInt32) -> (data :Data) $Capos.endOfStream;
  # Completes with 1 to `max` bytes (at most 3,072) as soon as there are any.

  write @1 (data :Data) -> ();
  # Completes when all bytes are taken.
}
