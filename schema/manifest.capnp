@0xa11c0de0f00d0201;
# What init starts. Written by `cap build` from system.cue, read and checked again by init.

struct SystemManifest {
  version @0 :UInt32;
  # Of this format: 1.
  name @1 :Text;
  # Which system this is: "default", "diag", "minimal", or a lab case's name.
  services @2 :List(Service);
  onPanic @3 :PanicAction;
  seed @4 :UInt64;
  # For the lab: makes runs repeatable. 0 otherwise.
  iommu @5 :Iommu;
}

enum PanicAction {
  halt @0;
  reboot @1;
}

enum Iommu {
  # What keeps devices from memory that they were not given.

  optional @0;
  # An IOMMU where there is one that was seen to; else the kernel, by translating what drivers write.
  required @1;
  # An IOMMU. Where there is none that was seen to, nobody is given a device that reaches memory.
}

struct Service {
  name @0 :Text;
  binary @1 :Text;
  # Boot file name.
  args @2 :List(Text);
  caps @3 :List(Grant);
  exports @4 :List(Export);
  budget @5 :Budget;
  restart @6 :Restart;
  autostart @7 :Bool = true;
  # False: known by name, started on demand only.
  backoff @8 :Backoff;
  limit @9 :Limit;
  health @10 :Health;
  # Without it, nothing is asked of the service.
  drainMs @11 :UInt32 = 2000;
  # How long an instance that was replaced may take to answer what it has received, before it is killed.
  follow @12 :Follow;
  escalate @13 :Escalate;
}

struct Backoff {
  # How long a service that ended waits to be started again: the first time, and twice as long each time in a row.
  firstMs @0 :UInt32 = 10;
  longestMs @1 :UInt32 = 1000;
}

struct Limit {
  # More failures than this within the window, and the service is given up.
  restarts @0 :UInt8 = 6;
  # 1 to 16.
  windowMs @1 :UInt32 = 10000;
}

struct Health {
  # What a service that speaks `Control` promises to its supervisor. One that breaks it is killed, and that counts as a failure.
  readyMs @0 :UInt32 = 5000;
  # After its start it is ready within this.
  everyMs @1 :UInt32 = 1000;
  # So often it is asked whether it is well.
  answerMs @2 :UInt32 = 2000;
  # And answers within this.
}

enum Follow {
  # What a service gets to know when one that it holds an export of was started anew.
  nothing @0;
  told @1;
  # It is given a new facet through its `Control`.
  restarted @2;
  # It is started anew itself.
}

enum Escalate {
  # What follows when a service is given up.
  nothing @0;
  group @1;
  # It and all that need it, directly or not, are started anew together; when that does not help either, it stays given up.
  reboot @2;
  # The machine is reset.
}

struct Grant {
  name @0 :Text;
  # Under which the service finds it.
  interface @1 :Text;
  # Which it expects: "Timer", "Console".
  union {
    kernel @2 :Text;
    # A kernel object by name: "timer", "log", "boot", "spawner".
    export @3 :ExportRef;
    # What another service exports.
    ioPort @4 :PortRange;
    irq @5 :UInt32;
    # An ISA interrupt line.
    pci @6 :List(PciMatch);
    # The right to a PCI device that is like any of these.
  }
}

struct PciMatch {
  # A function that has all of this. The highest number stands for any.
  policy @0 :Text;
  # What the kernel is to know about it.
  vendor @1 :UInt16 = 0xffff;
  device @2 :UInt16 = 0xffff;
  class @3 :UInt32 = 0xffffffff;
  subsystemVendor @4 :UInt16 = 0xffff;
  subsystem @5 :UInt16 = 0xffff;
  address @6 :UInt16 = 0xffff;
  # bus << 8 | device << 3 | function.
  nth @7 :UInt16 = 0xffff;
  # Which of all that are so, by their addresses, from 0.
}

struct ExportRef {
  service @0 :Text;
  export @1 :Text;
}

struct PortRange {
  base @0 :UInt16;
  length @1 :UInt16;
}

struct Export {
  name @0 :Text;
  interface @1 :Text;
}

struct Budget {
  memoryPages @0 :UInt32 = 512;
  capSlots @1 :UInt32 = 64;
  threads @2 :UInt32 = 4;
  callsInFlight @3 :UInt32 = 256;
  endpointEntries @4 :UInt32 = 64;
  logBytes @5 :UInt32 = 65536;
  priority @6 :UInt8 = 10;
  cpuPercent @7 :UInt16 = 0;
  # Of one processor's time, in all; 0: no share of its own.
  dmaPages @8 :UInt32 = 0;
  # Pages that devices may reach; they count as memory, too.
  vectors @9 :UInt32 = 0;
  # Interrupts of devices.
}

enum Restart {
  never @0;
  onFailure @1;
  always @2;
}
