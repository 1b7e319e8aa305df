@0xa11c0de0f00d0203;
# What capos-lib/fs writes into the tree of a volume. Each record is one struct: its root pointer and its words, in one segment without a
# table of segments. A struct grows at its end only, together with `VolumeRecord.version`.

struct VolumeRecord {
  # One, at the volume's own key.
  version @0 :UInt32;
  # Of these records: 2. In 1 a domain did not count names: whoever mounts it counts them, and makes it 2 with what is committed next.
  next @1 :UInt64;
  # The number of the next object.
  objects @2 :UInt64;
  # How many there are.
  collection @3 :UInt64;
  # How often blobs were collected. Those that are marked with it stay.
}

enum ObjectKind {
  file @0;
  directory @1;
  blob @2;
  namespace @3;
}

struct ObjectRecord {
  kind @0 :ObjectKind;
  created @1 :UInt16;
  # How the time of its creation was known: `TimeSource` of file.capnp. So is `modified`.
  modified @2 :UInt16;
  links @3 :UInt32;
  # How many names it has. A blob has none of its own.
  domain @4 :UInt32;
  size @5 :UInt64;
  # Bytes of a file or blob, entries of a directory or namespace.
  blocks @6 :UInt64;
  # How many blocks of it are stored.
  createdNs @7 :UInt64;
  modifiedNs @8 :UInt64;
  parent @9 :UInt64;
  # In which directory or namespace a directory or namespace is.
}

struct EntryRecord {
  # What a name leads to.
  kind @0 :ObjectKind;
  object @1 :UInt64;
}

struct HashRecord {
  # The SHA-256 of a blob.
  mark @0 :UInt64;
  # The collection in which it was last seen to be named, or put.
  hash @1 :Data;
}

struct BlobRecord {
  # Which object has that hash.
  object @0 :UInt64;
}

struct DomainRecord {
  # What a domain uses, and the most that it may; 0 is no limit. It may have as many names as objects.
  blocks @0 :UInt64;
  objects @1 :UInt64;
  blocksMost @2 :UInt64;
  objectsMost @3 :UInt64;
  names @4 :UInt64;
  # In its directories and namespaces.
}

struct OrphanRecord {
  # Of an object without names that was held when it lost the last, or whose end is being removed.
  whole @0 :Bool;
  # All of it goes, else the blocks behind: of the records from number `first` on.
  first @1 :UInt64;
}
