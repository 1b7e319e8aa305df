@0xa11c0de0f00d0136;
using Capos = import "capos.capnp";
using import "namespace.capnp".Namespace;
using import "directory.capnp".Directory;
using import "file.capnp".TimeSource;
using import "store.capnp".Store;

interface Volume {
  # A disk or partition with a namespace and a store on it: for the person who looks after the machine.

  root @0 () -> (namespace :Namespace);
  # Its namespace, in which everything begins.

  store @1 () -> (store :Store);
  # Its blobs.

  space @2 () -> (blocks :UInt64, free :UInt64, held :UInt64, blockSize :UInt32, objects :UInt64, commits :UInt64);
  # How much room there is, in blocks: all, what can still be written, and what only snapshots hold. `commits` counts the states that were made durable.

  quota @3 (domain :UInt32) -> (blocks :UInt64, objects :UInt64, blocksMost :UInt64, objectsMost :UInt64);
  # What a domain uses, and the most that it may. Domain 0, to which everything belongs at first, has no limit unless it is given one.

  setQuota @4 (domain :UInt32, blocksMost :UInt64, objectsMost :UInt64) -> ();
  # The most that a domain may use from now on, and as many names as objects; zeros are no limit. What it has beyond that stays.

  assign @5 (directory :Directory, domain :UInt32) -> ();
  # Whatever will be made in a directory counts for that domain. `wrongState` when the directory is not empty.

  snapshot @6 (name :Text) -> ();
  # Keeps everything as it is now under that name; `exists`. Answers when it is durable. Only what changes later takes room.

  listSnapshots @7 (after :Text) -> (atNs :UInt64, at :TimeSource, commit :UInt64, name :Text);
  # The first snapshot whose name is behind `after`, when it was made, and of which commit; `notFound` when there are no more.

  openSnapshot @8 (name :Text) -> (namespace :Namespace, store :Store);
  # Everything as it was, read-only.

  removeSnapshot @9 (name :Text) -> ();
  # Gives back the room that only it holds. `wrongState` while somebody has it open.

  grow @10 () -> (blocks :UInt64);
  # Takes what the disk or partition has become larger by, and tells how many blocks there are now.

  sync @11 () -> ();
  # Answers when all that was done before survives whatever happens.

  check @12 (cursor :UInt64) -> (next :UInt64, finding :Text);
  # With 0, looks at everything that is on the disk, every byte of data too, and answers with the first thing that is wrong, in words; with what `next` said,
  # tells of the next one that was found then. Nothing when there is none. Who changes something waits meanwhile. Who asks for more than a thousand has it looked
  # at again now and then.
}
