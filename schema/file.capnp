@0xa11c0de0f00d0130;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

enum TimeSource {
  # How the time was known that something was stamped with.

  unknown @0;
  # Nobody knew the time of day: nanoseconds since the machine was started.
  firmware @1;
  # Nanoseconds since 1970-01-01 UTC, as are those that follow: the machine's firmware or loader said so.
  rtc @2;
  # The machine's clock did.
  host @3;
  # The clock of another machine did, where `cap fs` wrote it, or whoever wrote the medium. FAT knows no time zone: it is taken for UTC.
}

interface File {
  # Bytes, up to the size of the disk. Where nothing was written they are zeros that take no room. Who holds this facet may change them, if it is
  # no read-only one; `denied` if it is. What one call wrote is there as a whole after a crash, or not at all, up to 1 MiB; it is there for
  # certain once `sync` has answered.
  #
  # `deviceFault`: what the disk gave back is not what was written; the rest of the file can be read. `outOfMemory`: the disk is full.
  # `budgetExhausted`: the quota of the file's domain is used up.

  stat @0 () -> (object :UInt64, size :UInt64, stored :UInt64, createdNs :UInt64, modifiedNs :UInt64, created :TimeSource, modified :TimeSource,
          writable :Bool, links :UInt32, domain :UInt32);
  # What is known of it. Two facets of the same `object` are of the same file; `stored` counts the bytes that take room, whole blocks. Each time says
  # how it was known. `links` counts the names that it has: a file without one goes with its last facet. `domain` is whose quota it counts for.

  read @1 (offset :UInt64, length :UInt32) -> (data :Data);
  # Copies at most 4,000 bytes out. Shorter at the end of the file, empty behind it.

  write @2 (offset :UInt64, data :Data) -> ();
  # Overwrites, and makes the file longer where it ends before. At most 4,000 bytes fit a message.

  append @3 (data :Data) -> (offset :UInt64);
  # Writes at the end, wherever others moved it meanwhile, and tells where that was.

  truncate @4 (size :UInt64) -> ();
  # Makes it that long: shorter, or longer by zeros that take no room.

  clear @5 (offset :UInt64, length :UInt64) -> ();
  # Zeros in place of what is there, whose room is given back. The size stays.

  next @6 (offset :UInt64) -> (start :UInt64, length :UInt64);
  # The first run of stored bytes at or after `offset`, or its begin; `notFound` when there is none. What is between such runs is zeros.

  sync @7 () -> ();
  # Answers when all that was written to this file before, through whichever facet, and its names, survive whatever happens.

  attach @8 (memory :MemoryObject) -> ();
  # Memory for `readInto` and `writeFrom` through this facet, in place of what was attached before. It must be readable to write from, and writable to
  # read into. Whoever else holds this facet can have the file's bytes put there: give a facet away before, or attach nothing to it.

  readInto @9 (offset :UInt64, at :UInt64, length :UInt32) -> (length :UInt32);
  # Copies to byte `at` of the attached memory. Shorter at the end of the file. `wrongState` when nothing is attached, `invalidArgument` when it does not
  # fit in there.

  writeFrom @10 (offset :UInt64, at :UInt64, length :UInt32) -> ();
  # As `write`, from byte `at` of the attached memory.

  readOnly @11 () -> (file :File);
  # A facet that cannot change the file.

  prove @12 (challenge :UInt64) -> ();
  # Says to the server, who calls this of a capability that it was given as a parameter, that it is one of its own, and which. Nobody else has a use for it.
}
