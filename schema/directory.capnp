@0xa11c0de0f00d0131;
using Capos = import "capos.capnp";
using import "file.capnp".File;
using import "file.capnp".TimeSource;

enum EntryKind {
  # What a name leads to.

  file @0;
  directory @1;
  blob @2;
  namespace @3;
}

enum Creation {
  # What is done about a name that is there, or not.

  existing @0;
  # It must be there: else `notFound`.
  missing @1;
  # It is made if it is not there.
  always @2;
  # It is made, and must not be there: else `exists`.
}

interface Directory {
  # Names of files and directories. Who holds it sees and changes what is below, and nothing beside or above: there is no way up. Through a read-only
  # facet everything below is read-only, too; what would change it is `denied`.
  #
  # A name is 1 to 255 bytes of UTF-8 without `/` and NUL, and neither `.` nor `..`; else `invalidArgument`. Upper and lower case differ.
  # A change is there as a whole after a crash, or not at all; it is there for certain once `sync` has answered.

  info @0 () -> (object :UInt64, entries :UInt64, createdNs :UInt64, modifiedNs :UInt64, created :TimeSource, modified :TimeSource, writable :Bool,
          domain :UInt32);
  # What is known of the directory itself; see `File.stat`. Its names are what was `modified`.

  list @1 (after :Text) -> (count :UInt16, end :Bool, records :Data);
  # As many entries as fit, in the order of their names' bytes, whose names are behind `after`; nothing is before all. `end` says that none follow. Whoever
  # goes on behind the last name sees every entry once that was there all the time. A record is 32 bytes: object, size and time of modification
  # (8 bytes each), kind, time's source, length of the name (1 byte each), 5 zeros; the name follows, filled with zeros up to 8 bytes.

  stat @2 (name :Text) -> (kind :EntryKind, object :UInt64, size :UInt64, stored :UInt64, createdNs :UInt64, modifiedNs :UInt64, created :TimeSource,
          modified :TimeSource, links :UInt32, domain :UInt32);
  # What is known of the file or directory of that name, whose `size` is the number of its entries.

  openFile @3 (creation :Creation, writable :Bool, name :Text) -> (file :File);
  # A file; `wrongState` when the name is a directory's. Without `writable` a read-only facet, which cannot be made for a new file.

  openDirectory @4 (creation :Creation, writable :Bool, name :Text) -> (directory :Directory);
  # A directory; `wrongState` when the name is a file's.

  remove @5 (name :Text) -> ();
  # Takes the name away. A file goes when nobody holds a facet of it either and it has no other name; a directory must be empty, else `wrongState`.

  rename @6 (replace :Bool, to :Directory, name :Text, newName :Text) -> ();
  # Moves a name to a directory of the same volume, perhaps the same. With `replace` it takes the place of a file, or of an empty directory by a directory,
  # in one step: at any time and after any crash the new name is one or the other. Else `exists` if it is there. A directory cannot be moved
  # below itself, nor can anything into another domain: `invalidArgument`.

  sync @7 () -> ();
  # Answers when all that was done before, through whichever facet, to this directory and whatever is below, survives whatever happens.

  readOnly @8 () -> (directory :Directory);
  # A facet through which nothing can be changed.

  prove @9 (challenge :UInt64) -> ();
  # See `File.prove`.
}
