@0xa11c0de0f00d0002;
using Capos = import "capos.capnp";
using import "log_sink.capnp".LogLevel;

interface LogReader $Capos.kernelHosted {
  # The kernel's log, read side: a bounded buffer read with a cursor that tells what was lost.

  read @0 (cursor :UInt64) -> (found :Bool, next :UInt64, lost :UInt64, timeNs :UInt64, process :UInt64, level :LogLevel, text :Text);
  # The first record at or after `cursor`. `next` is the cursor to go on with; `lost` counts records that were overwritten
  # between `cursor` and this record. `found` is false when there is none yet; `process` 0 is the kernel.
}
