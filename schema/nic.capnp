@0xa11c0de0f00d0140;
using import "memory_object.capnp".MemoryObject;
using import "notification.capnp".Signaller;

interface Nic {
  # A network device: Ethernet frames in and out. What is asked of it goes through a session's two queues (capos-lib/nic).

  info @0 () -> (mac :UInt64, mtu :UInt16, least :UInt32, depth :UInt32, checksum :Bool, segmentsV4 :Bool, segmentsV6 :Bool, checked :Bool, merged :Bool);
  # What it is like, as soon as there is one, which may be never. `mac` is its address, the first byte highest. Frames have up to `mtu` bytes behind their Ethernet header; a
  # buffer for one begins at a multiple of 16 and has `least` bytes or more, and `depth` requests of each kind are with the device at a time. It fills in the `checksum` of TCP and UDP, makes segments of what
  # is larger than a frame, looks whether what comes is `checked`, and may have large frames `merged` over several buffers.

  identity @1 () -> (address :UInt32, arrival :UInt32);
  # Which device it is, as soon as there is one: the PCI function (bus << 8 | device << 3 | function), and which arrival of it.

  link @2 (seen :UInt32) -> (changes :UInt32, up :Bool, mbits :UInt32);
  # Whether there is a link, and how fast, if the device says: answers as soon as `changes`, which counts from 1, is not what was seen. 0 has not been.

  statistics @3 () -> (received :UInt64, receivedBytes :UInt64, sent :UInt64, sentBytes :UInt64, lost :UInt64, resets :UInt64);
  # Frames and bytes since the driver began; `lost` were with the device when it was reset.

  open @4 (entries :UInt32, memory :MemoryObject, doorbell :Signaller) -> (session :NicSession, doorbell :Signaller);
  # Begins the session; there is one at a time, and it has the device to itself: `wrongState` while there is another. Two queues of so many entries (a power of two, from 2 to
  # 1,024) in `memory`, which nobody has used yet: requests at its beginning, completions on the first page behind them. Each side gives the other a doorbell,
  # whose loss says that it has ended. A request is taken only while there is room for its completion. It ends when the device is another, or is not like `info` any more.
}

interface NicSession @0xf11c0de0f00d0141 {
  # Memory of the session, and what it wants to hear. It ends with the last capability for it, or when either side is gone.

  attach @0 (memory :MemoryObject) -> (buffer :UInt16);
  # From now on requests may name this memory, by that number. It is one that was made for devices (`VirtualMemory.createDmaObject`). `budgetExhausted` when
  # there are as many as there may be.

  detach @1 (buffer :UInt16) -> ();
  # They may no longer. `notFound` when there is none, `wrongState` while something is under way with it.

  listen @2 (promiscuous :Bool, multicast :Bool) -> ();
  # Which frames it wants beside those that are for the device's address and for all: everything, or whatever is for many. `unsupported` when the device can not choose, and
  # tells of all.
}
