@0xa11c0de0f00d0003;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

interface BootPackage $Capos.kernelHosted {
  # The files that came with the kernel: manifest, programs, whatever the image holds. Read-only.

  count @0 () -> (files :UInt32);
  # How many files there are.

  info @1 (index :UInt32) -> (size :UInt64, name :Text);
  # Size in bytes and name of file number `index`; `notFound` beyond the last.

  open @2 (name :Text) -> (size :UInt64, object :MemoryObject);
  # The file of that name, read-only; `notFound` if there is none. `size` is the exact length, the object is whole pages.
}
