@0xa11c0de0f00d0135;
using Capos = import "capos.capnp";
using import "directory.capnp".Creation;
using import "directory.capnp".Directory;
using import "directory.capnp".EntryKind;
using import "file.capnp".File;
using import "store.capnp".Blob;

interface Namespace {
  # Names that stay, of blobs, files, directories and further namespaces of one volume. What has a name here is kept. Names are as in `Directory`, and so is
  # what a crash leaves. Through a read-only facet nothing can be changed that is below; what would is `denied`.

  list @0 (after :Text) -> (count :UInt16, end :Bool, records :Data);
  # As `Directory.list`. A blob's object is 0.

  resolve @1 (writable :Bool, name :Text) -> (kind :EntryKind, object :Capability);
  # What the name leads to: a `Blob`, `File`, `Directory` or `Namespace`; without `writable` its read-only facet, which a `Blob` always is. `notFound`.

  bindBlob @2 (replace :Bool, blob :Blob, name :Text) -> ();
  # Gives a blob a name. Without `replace` the name must be new, else `exists`; with it, it may be another blob's.

  bindFile @3 (replace :Bool, file :File, name :Text) -> ();
  # Gives a file a name more, wherever it has others. The facet must be a writable one; `denied` if it is not. `replace` as for `bindBlob`: of a file.

  openDirectory @4 (creation :Creation, name :Text) -> (directory :Directory);
  # A directory, perhaps a new one; `wrongState` when the name is something else's.

  openNamespace @5 (creation :Creation, name :Text) -> (namespace :Namespace);
  # A namespace below this one, perhaps a new one; `wrongState` when the name is something else's.

  remove @6 (name :Text) -> ();
  # Takes the name away. A directory or namespace must be empty, else `wrongState`.

  rename @7 (replace :Bool, name :Text, newName :Text) -> ();
  # Another name, here; as `Directory.rename`.

  sync @8 () -> ();
  # Answers when all that was done before, through whichever facet, to this namespace and whatever is below, survives whatever happens.

  readOnly @9 () -> (namespace :Namespace);
  # A facet through which nothing can be changed.

  prove @10 (challenge :UInt64) -> ();
  # See `File.prove`.

  directory @11 () -> (directory :Directory);
  # The same names as a directory: files can be made here, and moved to and from directories below. What is neither a file nor a directory keeps to
  # namespaces. Read-only if this facet is.
}
