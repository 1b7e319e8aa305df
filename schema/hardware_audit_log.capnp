@0xa11c0de0f00d0066;
using Capos = import "capos.capnp";

enum HardwareEvent {
  claimed @0;
  # Somebody claimed it: `detail` is what the manager calls them.
  started @1;
  # It may reach memory.
  reset @2;
  # It was reset, and everything taken back.
  givenUp @3;
  # Its owner gave it up, or ended.
  notQuiet @4;
  # It was not quiet when it was given up.
  settled @5;
  # It is quiet now.
  gone @6;
  # It is no longer there.
  came @7;
  # It appeared.
  proven @8;
  # An IOMMU was seen to translate for it.
  registerRefused @9;
  # Its driver was refused a register: the window's number shifted by 32, and the offset.
  descriptorRefused @10;
  # Its driver wrote a descriptor that names what it may not: the queue's number shifted by 32, and the descriptor.
  badCompletion @11;
  # It completed what it was not given: the queue's number shifted by 32.
  blocked @12;
  # An IOMMU kept it from memory: where it wanted to.
  storm @13;
  # It interrupted too often, and was not heard for a while: which of its messages. `generation` counts the claims of the vector.
  noAnswer @14;
  # An IOMMU does not answer.
  faultsLost @15;
  # An IOMMU kept some device from memory and had no room to say which: how often that was seen. `function` is none.
}

interface HardwareAuditLog $Capos.kernelHosted {
  # What happened to devices: the last so many events. Nobody can write there, or take anything out.

  read @0 (cursor :UInt64) -> (next :UInt64, lost :UInt64, atNs :UInt64, detail :UInt64, function :UInt32, generation :UInt32, event :HardwareEvent);
  # The first event at or after `cursor`, which begins with 0; `notFound` when there is none yet. `next` is the cursor for the one after it, and
  # `lost` how many there were before it that are no longer kept.

  end @1 () -> (cursor :UInt64);
  # The cursor of who wants those that are to come.
}
