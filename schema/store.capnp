@0xa11c0de0f00d0132;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

interface Store {
  # Bytes that are known by what they are: a blob's name is its SHA-256, equal blobs are stored once, and none ever changes. A blob stays as long as a
  # namespace names it or somebody holds it. Who knows a hash can have the blob: hand out facets of a namespace instead where that is too much.

  put @0 (data :Data) -> (blob :Blob, hash :Data);
  # Stores up to 4,000 bytes.

  begin @1 () -> (writer :BlobWriter);
  # A blob of any size, written piece by piece.

  get @2 (hash :Data) -> (blob :Blob);
  # The blob with that hash of 32 bytes; `notFound`. What the disk gives back is held against its checksums when it is read.

  collect @3 () -> (blobs :UInt64, bytes :UInt64);
  # Drops the blobs that nobody holds and no namespace names, here or in a snapshot, and tells how much that was. Others go on working meanwhile, and
  # what they put stays.

  readOnly @4 () -> (store :Store);
  # A facet that can only `get`.
}

interface Blob @0xf11c0de0f00d0133 {
  # Bytes that never change.

  info @0 () -> (size :UInt64, hash :Data);
  # How many, and their SHA-256.

  read @1 (offset :UInt64, length :UInt32) -> (data :Data);
  # Copies at most 4,000 bytes out. Shorter at the end of the blob, empty behind it.

  attach @2 (memory :MemoryObject) -> ();
  # Memory for `readInto` through this facet; see `File.attach`.

  readInto @3 (offset :UInt64, at :UInt64, length :UInt32) -> (length :UInt32);
  # Copies to byte `at` of the attached memory; see `File.readInto`.

  prove @4 (challenge :UInt64) -> ();
  # See `File.prove`.
}

interface BlobWriter @0xf11c0de0f00d0134 {
  # A blob in the making. Nothing is left of it when its last capability goes before `finish`, or the machine stops.

  write @0 (data :Data) -> ();
  # The next bytes, up to 4,000.

  attach @1 (memory :MemoryObject) -> ();
  # Memory for `writeFrom`; see `File.attach`.

  writeFrom @2 (at :UInt64, length :UInt32) -> ();
  # The next bytes, from byte `at` of the attached memory.

  finish @3 () -> (blob :Blob, hash :Data);
  # That was all. `wrongState` when it was said before. The blob survives whatever happens once a namespace that names it was synced.
}
