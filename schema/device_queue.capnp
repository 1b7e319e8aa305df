@0xa11c0de0f00d0065;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

interface DeviceQueue $Capos.kernelHosted {
  # A ring of descriptors that a driver writes and a device reads, and one of completions that the device writes. Unless it is
  # `direct`, the device has its own, which nobody but the kernel writes.

  info @0 () -> (entries :UInt32, submissionSize :UInt32, completionSize :UInt32, direct :Bool, bellBar :UInt8, bellWidth :UInt8, bellOffset :UInt64, bellValue :UInt64, token :UInt64);
  # How many descriptors it has, and how many bytes each part takes. If it is `direct` the device reads what the driver writes, and is told of it by
  # a write of `bellValue` to that register, of `bellWidth` bytes, in the window `bellBar`.
  # `token` is where its memory begins for the device, for commands that say where a queue lies; 0 where the kernel writes that.

  submission @1 () -> (memory :MemoryObject);
  # Where the driver writes descriptors.

  completion @2 () -> (memory :MemoryObject);
  # What the device writes; read-only.

  publish @3 () -> (published :UInt32, completed :UInt32, more :Bool);
  # Looks at what the driver has written since the last time, translates it, and tells the device; says whether there was more than one call does.
  # `invalidArgument` when some descriptor names what it may not: that one is not published, and the queue takes no more until
  # the device was reset. `deviceFault` when the device has completed what it was not given. `unsupported` for
  # a direct one. `wrongState` before the device may reach memory.
}
