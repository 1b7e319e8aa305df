@0xa11c0de0f00d0009;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;
using import "process_handle.capnp".ProcessHandle;

interface ProcessSpawner $Capos.kernelHosted {
  # Makes processes. What they may use is taken from the budget of the caller.

  create @0 (binary :MemoryObject, size :UInt64, memoryPages :UInt32, capSlots :UInt32, threads :UInt32, callsInFlight :UInt32,
             endpointEntries :UInt32, logBytes :UInt32, priority :UInt8, name :Text, cpuPercent :UInt16,
             dmaPages :UInt32, vectors :UInt32) -> (process :ProcessHandle);
  # Loads a static ELF64 from the first `size` bytes of `binary`. The process has no threads yet: see `ProcessHandle.start`.
  # `malformed` for a bad image, `budgetExhausted` when the caller cannot afford it. `name` (at most 31 bytes) is for people.
  # `cpuPercent` hundredths of one processor's time are promised to the process and taken from the caller's share, of which the caller keeps
  # some; with 0 it uses the caller's share together with the caller.
}
