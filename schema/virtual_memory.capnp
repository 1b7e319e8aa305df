@0xa11c0de0f00d0005;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

enum Protection {
  none @0;
  read @1;
  readWrite @2;
  readExecute @3;
}

interface VirtualMemory $Capos.kernelHosted {
  # The address space of one process. Nothing is ever writable and executable. All addresses and sizes are whole pages.

  reserve @0 (size :UInt64) -> (address :UInt64);
  # Sets address space aside, with an unmapped guard page on either side. Costs no memory.

  commit @1 (address :UInt64, size :UInt64, protection :Protection) -> ();
  # Backs part of one reservation with zeroed memory. All or nothing; `exists` if some of it is already backed.

  protect @2 (address :UInt64, size :UInt64, protection :Protection) -> ();
  # Changes the protection of committed or mapped pages. Write access to a mapped read-only object is `denied`.

  unmap @3 (address :UInt64, size :UInt64) -> ();
  # Gives pages back, reservation included; whole regions or parts of them. Freed memory is uncharged at once.

  createObject @4 (size :UInt64) -> (object :MemoryObject);
  # New zeroed shareable memory, charged to the caller.

  map @5 (object :MemoryObject, offset :UInt64, size :UInt64, protection :Protection) -> (address :UInt64);
  # Maps part of an object at an address of the kernel's choice.

  usage @6 () -> (reserved :UInt64, backed :UInt64, large :UInt64, tables :UInt64);
  # What the space consists of, in pages: set aside without memory; backed with memory, its own or shared; how many of these lie in large
  # pages; page tables, those in reserve included.

  createDmaObject @7 (size :UInt64, addressBits :UInt8) -> (object :MemoryObject);
  # New zeroed shareable memory that devices with so many bits of addresses reach: it lies in one piece, and counts as DMA pages of the caller as long as
  # anybody has it. At most 2 MiB: `invalidArgument` otherwise. See `DmaPool.attach`.
}
