@0xa11c0de0f00d0061;
using Capos = import "capos.capnp";
using import "device_manager.capnp".DmaBackend;
using import "device_mmio.capnp".DeviceMmio;
using import "dma_pool.capnp".DmaPool;
using import "device_queue.capnp".DeviceQueue;
using import "interrupt.capnp".Interrupt;
using import "io_port.capnp".IoPort;

interface Device $Capos.kernelHosted {
  # One function of a device, claimed. What comes from it lasts until `reset`, or until the last capability for it is gone: from then on
  # it is stale, and its methods answer `disconnected`.

  info @0 () -> (address :UInt32, vendor :UInt16, device :UInt16, class :UInt32, revision :UInt8, subsystemVendor :UInt16, subsystem :UInt16, messages :UInt16, line :Bool, backend :DmaBackend, generation :UInt32, arrival :UInt32);
  # What it is. `messages` is how many message interrupts it has, `line` whether it has an interrupt line,
  # `arrival` which of all functions that came since boot it is: what is taken out and put in again has another one, and had no power meanwhile.

  config @1 (offset :UInt16, width :UInt8) -> (value :UInt32);
  # 1, 2 or 4 bytes of its configuration space; `disconnected` when it is gone. Whatever might be an address (base addresses,
  # messages, virtual functions, capabilities that nobody knows) reads as 0. `invalidArgument` for what is not
  # aligned or outside. Nobody but the kernel writes there.

  window @2 (bar :UInt8) -> (window :DeviceMmio);
  # The registers behind base address register `bar`, if it shows memory; `notFound` otherwise.

  interrupt @3 (index :UInt16) -> (interrupt :Interrupt);
  # Its message `index`; of a function without messages its line, for `index` 0. `exists` while somebody has it, `notFound` beyond the last, `unsupported` for
  # a line of a function that can not be told not to signal. Others may use the same line, and hear nothing of it. Counts as one vector.

  pool @4 (addressBits :UInt8, bufferBits :UInt8) -> (pool :DmaPool);
  # The memory that it may reach, which there is one of: `exists` afterwards. It can address `addressBits` bits, and no buffer is larger than
  # 1 << `bufferBits` bytes. `unsupported` if the policy does not say how its descriptors are translated, unless its
  # backend is `direct`.

  queue @5 (index :UInt16, entries :UInt16) -> (queue :DeviceQueue);
  # Makes queue `index` of so many entries and tells the device where it is. Its memory is paid as `pool`'s, which has to be there. `wrongState`
  # while the device is not through its reset; `invalidArgument` when its ring is larger than a buffer of the pool may be; `denied` where an IOMMU is to translate, and a virtio driver has not accepted ACCESS_PLATFORM.

  start @6 () -> ();
  # It may reach memory from now on. `wrongState` while it is not through its reset: ask again. `unsupported` for one of which nothing is
  # known, unless its backend is `direct`; `denied` where an IOMMU is demanded, and none holds this function any more.

  ports @10 (bar :UInt8) -> (ports :IoPort);
  # What base address register `bar` shows, if that is I/O ports.

  prove @8 () -> (proven :Bool);
  # Whether the kernel has seen the device do something that it can do only through the IOMMU: complete a descriptor, or write to the pool's `proof`.
  # If so, its backend is no longer `unproven` from the next reset on: `direct` where the kernel's command line says `interrupts=trusted`, else
  # `bounce`, and the IOMMU shows it nothing else.

  distrust @9 () -> ();
  # The device does not do anything while its backend is `unproven`: perhaps its addresses do not go through the IOMMU. From the next reset on the
  # backend is `bounce`, until it is given up: who claims it next begins anew.

  reset @7 () -> (generation :UInt32);
  # Makes it quiet and takes everything back that came from it, as when it is given up; it stays claimed.
}
