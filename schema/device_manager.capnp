@0xa11c0de0f00d0060;
using Capos = import "capos.capnp";
using import "device.capnp".Device;
using import "notification.capnp".Signaller;

enum DeviceState {
  free @0;
  # Nobody has it, and it does nothing.
  claimed @1;
  # Somebody has it; it may not reach memory.
  running @2;
  # Somebody has it, and it may.
  draining @3;
  # Nobody has it, but it was not seen to be quiet yet: what it may reach is kept for it.
  gone @4;
  # It is no longer there.
}

enum DmaBackend {
  bounce @0;
  # The kernel translates descriptors; the device is told physical addresses. An IOMMU that there is shows it nothing else.
  unproven @1;
  # The same, with addresses that an IOMMU is to translate, until the kernel has seen that it does.
  direct @2;
  # An IOMMU translates, and the driver's own rings are the device's.
}

interface DeviceManager $Capos.kernelHosted {
  # The ledger of the machine's PCI functions: who has which.

  list @0 (cursor :UInt32) -> (address :UInt32, vendor :UInt16, device :UInt16, class :UInt32, state :DeviceState, backend :DmaBackend, generation :UInt32, owner :UInt64, bridge :Bool, next :UInt32, subsystemVendor :UInt16, subsystem :UInt16);
  # The first function at or after `cursor` (bus << 8 | device << 3 | function); `notFound` when there is none. `owner` is what the manager
  # said at the claim, 0 for nobody. Bridges can not be claimed.

  claim @1 (address :UInt32, policy :Text, owner :UInt64) -> (device :Device);
  # The function, for a driver. `policy` names what the kernel is to know about such devices: which registers may be written, how it is made
  # quiet, how its descriptors are translated. `owner` is for the manager to see in `list` whose it is. `exists` while somebody has it,
  # `notFound` when there is no such function or policy, `unsupported` when it does not look as the policy wants it, `wrongState` while it is draining,
  # `denied` for bridges, and where an IOMMU is demanded and none keeps the function to what it is given.

  audit @3 (cursor :UInt32) -> (address :UInt32, mappedPages :UInt32, vectors :UInt32, buffers :UInt32, queues :UInt32, keptPages :UInt32, next :UInt32, wrong :Text);
  # Goes over the books of the first function at or after `cursor` that was ever claimed; `notFound` when there is none. `keptPages` is what is kept
  # for a device that is not quiet. `wrong` names what does not agree with what is found: `vectors buffers queues` (the ledger's counts), `master` (it may reach
  # memory, or may not, against the ledger), `messages` (one is on that nobody has), `line` (it may signal by its line, which nobody has),
  # `routes` (the vector table has other interrupts of it, or what one goes through, entry or IOMMU, says something else than it was told),
  # `domain` (the IOMMU lets it reach memory against the ledger, or does not), `mappings` (registers are mapped that were not given out there, or so, or memory is
  # that only the device and the kernel have), `tables` (some process's page tables show other than what it has mapped), `iommu` (the
  # device finds other memory than it was given).

  settle @2 (address :UInt32) -> (settled :Bool);
  # Looks once more at a function that is draining. True when it is free now.

  demandIommu @4 ();
  # From now on, until the machine is started anew, no function reaches memory but through an IOMMU. For one that goes past it `claim` and
  # `Device.start` answer `denied`. An IOMMU that is yet to be seen translating for a function counts, until the function's driver says that it
  # does not; what the device is told meanwhile is the kernel's to say.

  attend @5 (cursor :UInt32) -> (changed :Bool, next :UInt32);
  # Looks at the first slot of PCI Express where devices come and go, whose port is at or after `cursor`, and does the next step of what is
  # under way there; `notFound` when there is none. `changed` when functions came or went. To be called again and again, ten times in a second.
}
