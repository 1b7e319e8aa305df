@0xa11c0de0f00d000e;
using Capos = import "capos.capnp";
using import "device_manager.capnp".DeviceState;
using import "device_manager.capnp".DmaBackend;

enum ProcessState {
  created @0;
  running @1;
  ended @2;
}

enum IommuKind {
  unknown @0;
  # Firmware's tables do not hold together.

  intel @1;
  amd @2;
}

enum IommuInterrupts {
  # Whether an IOMMU keeps interrupts to those who have them.

  proven @0;
  # One that was entered arrived, one that was not did not.

  forgeable @1;
  # One that was not entered arrived: a device that may write where interrupts are can raise any.

  unproven @2;
  # Neither arrived, so that nothing is known.
}

interface SystemInfo $Capos.kernelHosted {
  # What this machine is and what it is doing. Read-only. Holds no addresses.

  system @0 () -> (cpus :UInt32, uptimeNs :UInt64, totalPages :UInt64, freePages :UInt64, kernelPages :UInt64, processes :UInt32, threads :UInt32, bootSeed :UInt64, version :Text);
  # The whole at a glance.

  cpu @1 (index :UInt32) -> (apicId :UInt32, idleNs :UInt64, switches :UInt64, interrupts :UInt64, syscalls :UInt64, ipis :UInt64, shootdowns :UInt64);
  # One processor's counters; `notFound` beyond the last. `shootdowns` says how often another processor has made it forget
  # translations of user memory.

  features @2 () -> (text :Text);
  # What the processor reports and what the kernel made of it, in words: `nx=on smep=on x2apic=absent ...`.

  process @3 (cursor :UInt64) -> (id :UInt64, state :ProcessState, threads :UInt32, pages :UInt64, pageLimit :UInt64, slots :UInt32, slotLimit :UInt32, cpuNs :UInt64, name :Text, cpuPercent :UInt32);
  # The first process whose id is at or after `cursor`; `notFound` when there is none. `cpuPercent` is its share, in hundredths of one
  # processor, without what it promised to others; 0 when it has no limit, or has ended.

  memoryRange @4 (index :UInt32) -> (pages :UInt64, kind :Text);
  # One range of the firmware's memory map; `notFound` beyond the last.

  acpiTable @5 (index :UInt32) -> (length :UInt32, revision :UInt8, signature :Text);
  # One ACPI table; `notFound` beyond the last, `unsupported` on a machine without ACPI.

  pciFunction @6 (cursor :UInt32) -> (address :UInt32, vendor :UInt16, device :UInt16, class :UInt32, header :UInt8, interruptLine :UInt8, next :UInt32, interruptPin :UInt8, routed :Bool, gsi :UInt32, secondary :UInt8, subordinate :UInt8, msi :UInt16, msix :UInt16, command :UInt16, wrong :Text, driver :UInt64, state :DeviceState, backend :DmaBackend, guarded :Bool, bridge :Bool);
  # The first PCI function at or after `cursor` (bus << 8 | device << 3 | function); `notFound` when there is none. `gsi` is where its
  # interrupt line arrives, if it is `routed`. `secondary` and `subordinate` are the first and last bus behind a bridge, 0 of others. `msi` and `msix`
  # count the messages it can signal by, `command` is what it is allowed now, `wrong` why nobody is to drive it, empty when all is well, and
  # `driver` the id of the process that drives it, 0 for none. `state` and `backend` are as in `DeviceManager.list`, and it is `guarded` while an IOMMU
  # that was seen to translate for it shows it nothing but what it was given. Of a `bridge` nobody can have anything.

  irq @7 (index :UInt32) -> (gsi :UInt32, vector :UInt8, count :UInt64, masked :Bool, owner :Text, cpu :UInt32);
  # One interrupt that somebody has, and the processor that it goes to; `notFound` beyond the last. `owner` is the name of the process that listened
  # to it last; empty of lines of PCI, which several may have (see `pciFunction`), and when that process has ended.

  timers @8 () -> (source :Text);
  # Clock source, its frequency and how it was calibrated, in words.

  boot @9 () -> (text :Text);
  # How we were booted: loader, firmware, command line, in words.

  audit @10 () -> (heapBytes :UInt64, processes :UInt64, threads :UInt64, endpoints :UInt64, facets :UInt64, notifications :UInt64, alarms :UInt64);
  # What the kernel holds, for who compares before and after: bytes of its heap, and how many objects of each kind live, whoever can reach
  # them. An ended process counts until the last handle of it is gone.

  auditProcess @11 (cursor :UInt64) -> (id :UInt64, threads :UInt64, slots :UInt64, pending :UInt64, raised :UInt64, calls :UInt64, receives :UInt64, regions :UInt64, mappedPages :UInt64, ownPages :UInt64, lentPages :UInt64, orphanedPages :UInt64, ownEntries :UInt64, wrong :Text);
  # Goes over the books of the first process whose id is at or after `cursor`; `notFound` when there is none. What its children were lent
  # counts as `lent` and not as its `own`; `orphanedPages` of it belong to children that have ended. `calls` and `receives` are those at
  # endpoints it has a right to. `wrong` names what cannot be: `threads slots calls lent pages ticket place stranger abandoned links`. On a
  # machine that is not at rest it may be a change under way.

  capability @12 (process :UInt64, slot :UInt32) -> (slot :UInt32, interface :UInt64);
  # What a process holds in slot `slot` or the next one that is not empty; `notFound` when there is no such slot or process.

  derivation @13 () -> (held :UInt64, alive :UInt64, dead :UInt64, wrong :UInt64, leases :UInt64);
  # Goes over who derives from whom: capabilities in all tables, nodes of the derivation tree that stand for one and such that only hold others
  # together, disagreements, and nodes of what is mapped or bound and can be revoked. Takes as long as there are many. On a machine that is
  # not at rest totals may differ by what is under way.

  acpiFact @14 (table :UInt32, index :UInt32) -> (text :Text);
  # One thing that ACPI table number `table` says, in words: what is wired where, which remapping unit serves what. `notFound` beyond the last,
  # `unsupported` on a machine without ACPI.

  pciBar @15 (function :UInt32, cursor :UInt8) -> (index :UInt8, size :UInt64, placed :Bool, high :Bool, kind :Text);
  # The first base address register of a PCI function at or after `cursor`: how much it decodes of what, whether firmware gave it a place,
  # and whether that is above 4 GiB. `notFound` when there is none.

  pciCapability @16 (function :UInt32, index :UInt32) -> (id :UInt16, extended :Bool, text :Text);
  # One entry of the lists of what a PCI function can do, in words; `notFound` beyond the last.

  iommu @17 (index :UInt32) -> (kind :IommuKind, interrupts :IommuInterrupts, bits :UInt32, faults :UInt64, lost :UInt64, last :UInt32, state :Text);
  # One IOMMU; `notFound` beyond the last. `state` is `on`, `silent` when it stopped doing what it is told, or why it is not used: then none is.
  # `interrupts` says what was seen at boot. `faults` counts what devices were kept from, `last` is the function that was last (as in `pciFunction`),
  # and `lost` counts how often there were more than could be told.

  auditDevice @18 (cursor :UInt32) -> (address :UInt32, mappedPages :UInt32, vectors :UInt32, buffers :UInt32, queues :UInt32, keptPages :UInt32, next :UInt32, wrong :Text);
  # What `DeviceManager.audit` tells, for who may look and not claim. On a machine that is not at rest `wrong` may be a change under way.
}
