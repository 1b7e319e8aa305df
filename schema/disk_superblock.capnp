@0xa11c0de0f00d0d01;
# What a volume's superblocks and records of snapshots hold. Written and read by capos-store; never sent to anybody.

struct Superblock {
  # The state of a volume after one commit. It lies in a slot of one block, behind a magic number and a checksum of the whole slot.

  version @0 :UInt32;
  # Of the format: 2. Another one is refused.
  incompatible @1 :UInt64;
  # Features that a reader must know, one bit each. One that it does not know is refused. Bit 0: it has `beside`.
  uuidLow @2 :UInt64;
  uuidHigh @3 :UInt64;
  blocks @4 :UInt64;
  # Size of the volume, in blocks of 4 KiB.
  commit @5 :UInt64;
  # Number of this commit. The greatest sound one counts, if all that it has beside it is there.
  records @6 :Tree;
  snapshots @7 :Tree;
  # Records of snapshots, and which blocks died since.
  maps @8 :Maps;
  log @9 :List(UInt64);
  # Blocks taken and given back since the maps were written, in order: bits 0 to 39 the first one, 40 to 55 how many without one, bit 56
  # set if they were given back.
  held @10 :UInt64;
  # Blocks that only snapshots need.
  beside @11 :List(UInt64);
  # Blocks that were written side by side with this superblock, rather than before it: for each its number and its checksum. The commit is
  # complete if they are what they say. Only the newest one may not be, and only while the commit before it is still there.
  settled @12 :UInt64;
  # The commit up to which all nodes are at both of their places: those of later commits are still to be written there.
}

struct Tree {
  # The root of a tree. Address 0 is an empty one. As every node it has two places.

  address @0 :UInt64;
  birth @1 :UInt64;
  checksum @2 :UInt64;
  level @3 :UInt8;
  twin @4 :UInt64;
  # Its second place, for when the first is spoiled: it is there when `birth` is not above `settled`.
}

struct Maps {
  # The root of the maps of free space.

  checksum @0 :UInt64;
  copy @1 :UInt8;
  # Which of its two copies counts: 1 or 2; 0 when nothing was written yet.
  used @2 :UInt64;
  # Blocks in use after this commit, without those at fixed places.
  mapped @3 :UInt64;
  # Blocks in use as the maps say, without the log.
}

struct SnapshotRecord {
  # A record of the tree of snapshots. Its key is a zero byte and the number of the commit.

  tree @0 :Tree;
  deleting @1 :Bool;
  # What only it holds is being given back: it cannot be opened any more.
  note @2 :Data;
  # Of whoever took it.
}
