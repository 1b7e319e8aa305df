@0xa11c0de0f00d0121;
using import "memory_object.capnp".MemoryObject;
using import "notification.capnp".Signaller;

interface BlockDevice {
  # Sectors that can be read and written: a disk, a partition, some part that only may be read. What is asked of it goes through a session's two
  # queues (capos-lib/block).

  info @0 () -> (sectors :UInt64, sectorSize :UInt32, most :UInt32, depth :UInt32, readOnly :Bool, cache :Bool, discard :Bool, zero :Bool);
  # What it is like. One request moves `most` sectors at most, and `depth` are under way at a time. With a `cache` what was written may be lost with the
  # power until a flush. It answers when the device is there, which may be never.

  identity @1 () -> (address :UInt32, namespace :UInt32, serial :Text, model :Text);
  # Which device it is on: the PCI function (bus << 8 | device << 3 | function), and which of its disks, from 1. What the device says about itself
  # is no proof of anything.

  open @2 (entries :UInt32, memory :MemoryObject, doorbell :Signaller) -> (session :BlockSession, doorbell :Signaller, arrival :UInt32);
  # Begins a session: two queues of so many entries (a power of two, at most 1,024) in `memory`, which nobody has used yet: requests at its beginning, completions on
  # the first page behind them. Each side gives the other a doorbell, whose loss says that it has ended. A request is taken only while there is room for
  # its completion. It ends when the device is taken out, too: with another `arrival` than that of the session before the device had no power between
  # them, and of what was written and not flushed nobody knows what is there.

  readOnly @3 () -> (device :BlockDevice);
  # The same sectors, to be read only.

  part @4 (first :UInt64, sectors :UInt64) -> (device :BlockDevice);
  # Some of the sectors, of which `first` is number 0 there. `invalidArgument` when they are not all inside, or none.

  health @5 () -> (warnings :UInt32, kelvin :UInt16, sparePercent :UInt8, usedPercent :UInt8, mediaErrors :UInt64, powerOnHours :UInt64, unsafeShutdowns :UInt64);
  # What the device says of its health: bits of `warnings` are 0 spare blocks low, 1 temperature, 2 unreliable, 3 to be read only from now on, 4 backup of
  # its cache failed. `unsupported` by devices that say nothing.
}

interface BlockSession @0xf11c0de0f00d0122 {
  # Memory of one session. It ends with the last capability for it, or when either side is gone.

  attach @0 (memory :MemoryObject) -> (buffer :UInt16);
  # From now on requests may name this memory, by that number. It is one that was made for devices (`VirtualMemory.createDmaObject`). `budgetExhausted` when
  # there are as many as there may be.

  detach @1 (buffer :UInt16) -> ();
  # They may no longer; when nothing is under way with it any more it is let go of. `notFound` when there is none.
}

enum Content {
  # What is on a disk or partition, by its marks; what is behind them may be anything.

  unknown @0;
  volume @1;
  # Of capOS.
  fat @2;
  iso9660 @3;
}

interface Disks @0xf11c0de0f00d0123 {
  # The disks that there are.

  list @0 (cursor :UInt32) -> (number :UInt32, next :UInt32, address :UInt32, namespace :UInt32, sectors :UInt64, sectorSize :UInt32, serial :Text, model :Text);
  # The first at or after `cursor`, as soon as it is known whether there is a device; `notFound` when there is none, also because there is no device.

  disk @1 (number :UInt32) -> (device :BlockDevice);
  # One of them, all of it as it is now, as soon as there is a device, which may be never; `notFound` when there is none. What was given out
  # before the disk became larger has what there was then.

  part @2 (disk :UInt32, cursor :UInt32) -> (next :UInt32, number :UInt32, first :UInt64, sectors :UInt64, content :Content, taken :Bool, name :Text);
  # What a disk is divided into: the partition with the first number at or after `cursor`; `notFound` when there is none, or no disk. Number 0 is all of
  # a disk that has no table of partitions. What is `taken` is somebody's by name. Drivers know nothing of partitions, nor of what is on a disk.
}
