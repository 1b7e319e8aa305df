@0xa11c0de0f00d0004;
using Capos = import "capos.capnp";

interface MemoryObject $Capos.kernelHosted {
  # A run of memory pages that can be shared by mapping. Physical addresses are never visible.

  info @0 () -> (size :UInt64, writable :Bool);
  # Length in bytes, whole pages; whether this facet allows writing.

  read @1 (offset :UInt64, length :UInt32) -> (data :Data);
  # Copies at most 4,000 bytes out. Shorter at the end of the object, empty behind it.

  write @2 (offset :UInt64, data :Data) -> ();
  # Copies bytes in. `invalidArgument` when they do not fit, `denied` on a read-only facet.

  readOnly @3 () -> (object :MemoryObject);
  # A facet of the same memory that can be neither written nor mapped writable.

  part @4 (offset :UInt64, size :UInt64) -> (object :MemoryObject);
  # A facet of some of its pages, whose first is at offset 0 there; it may be written if this one may. `invalidArgument` for what is not whole
  # pages inside. A program cannot be started from a part.
}
