@0xa11c0de0f00d0063;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

interface DmaPool $Capos.kernelHosted {
  # The memory that one device may reach.

  allocate @0 (pages :UInt32) -> (buffer :DmaBuffer);
  # Zeroed memory that the device finds by a token. `budgetExhausted` when the caller's budget of DMA pages is used up.

  usage @1 () -> (buffers :UInt32, pages :UInt32, pinned :UInt32);
  # What there is of it. `pinned` of the buffers were handed to the device, which has not given them back.

  proof @2 () -> (token :UInt64, size :UInt32);
  # Memory that nobody sees but the kernel, for a device without rings to write to: see `Device.prove`. `unsupported` where nothing is to be
  # proven.

  attach @3 (memory :MemoryObject) -> (buffer :DmaBuffer);
  # The same for memory that was made for devices (`VirtualMemory.createDmaObject`), all of it: the device reaches it from now on, too. It stays what
  # it is when the pool goes with its device, and can be attached to the next. `denied` through a facet that may only read, `unsupported` for other memory,
  # `invalidArgument` when it is larger than a buffer of the pool, `outOfMemory` when it lies where the device has no addresses. When the capability is revoked
  # the buffer is nobody's, as if it had been given up.
}

interface DmaBuffer @0xf11c0de0f00d0064 $Capos.kernelHosted {
  # Memory that one device may reach. With the last capability for it its token is nobody's; the memory stays as long as the device may
  # write there, or somebody has it mapped.

  info @0 () -> (token :UInt64, size :UInt64);
  # What a driver writes where an address belongs: the token, or one of the `size` - 1 numbers after it for a byte further on.

  memory @1 () -> (memory :MemoryObject);
  # The memory, to be mapped.
}
