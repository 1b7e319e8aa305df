@0xa11c0de0f00d0120;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;
using import "notification.capnp".Signaller;

interface SharedQueue {
  # How two processes come to share a queue: entries of one size in memory that both map, one side writing and the other taking
  # (capos-lib/queue). From then on nobody is called but to be woken.

  open @0 (entries :UInt32, produce :Bool, memory :MemoryObject, doorbell :Signaller) -> (doorbell :Signaller);
  # A queue of so many entries (a power of two) in `memory`, which nobody has used yet; `invalidArgument` when it does not fit in there. The
  # caller produces or consumes. Each side gives the other a doorbell, whose loss says that it has ended.
}
