@0xa11c0de0f00d000e;
using Capos = import "capos.capnp";

enum ProcessState {
  created @0;
  running @1;
  ended @2;
}

interface SystemInfo $Capos.kernelHosted {
  # What this machine is and what it is doing. Read-only. Holds no addresses.

  system @0 () -> (cpus :UInt32, uptimeNs :UInt64, totalPages :UInt64, freePages :UInt64, kernelPages :UInt64, processes :UInt32, threads :UInt32, bootSeed :UInt64, version :Text);
  # The whole at a glance.

  cpu @1 (index :UInt32) -> (apicId :UInt32, idleNs :UInt64, switches :UInt64, interrupts :UInt64, syscalls :UInt64, ipis :UInt64);
  # One processor's counters; `notFound` beyond the last.

  features @2 () -> (text :Text);
  # What the processor reports and what the kernel made of it, in words: `nx=on smep=on x2apic=absent ...`.

  process @3 (cursor :UInt64) -> (id :UInt64, state :ProcessState, threads :UInt32, pages :UInt64, pageLimit :UInt64, slots :UInt32, slotLimit :UInt32, cpuNs :UInt64, name :Text);
  # The first process whose id is at or after `cursor`; `notFound` when there is none.

  memoryRange @4 (index :UInt32) -> (pages :UInt64, kind :Text);
  # One range of the firmware's memory map; `notFound` beyond the last.

  acpiTable @5 (index :UInt32) -> (length :UInt32, revision :UInt8, signature :Text);
  # One ACPI table; `notFound` beyond the last, `unsupported` on a machine without ACPI.

  pciFunction @6 (cursor :UInt32) -> (address :UInt32, vendor :UInt16, device :UInt16, class :UInt32, header :UInt8, interruptLine :UInt8, next :UInt32);
  # The first PCI function at or after `cursor` (bus << 8 | device << 3 | function); `notFound` when there is none.

  irq @7 (index :UInt32) -> (gsi :UInt32, vector :UInt8, count :UInt64, masked :Bool, owner :Text);
  # One routed interrupt line; `notFound` beyond the last.

  timers @8 () -> (source :Text);
  # Clock source, its frequency and how it was calibrated, in words.

  boot @9 () -> (text :Text);
  # How we were booted: loader, firmware, command line, in words.
}
