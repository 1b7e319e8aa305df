@0xa11c0de0f00d0006;
using Capos = import "capos.capnp";

interface ThreadControl $Capos.kernelHosted {
  # The threads of one process.

  create @0 (entry :UInt64, stack :UInt64, argument :UInt64, fsBase :UInt64, sqEntries :UInt32, cqEntries :UInt32, arenaPages :UInt32, priority :UInt8) -> (thread :UInt64, ring :UInt64);
  # Starts a thread at `entry` with `rsp = stack`, `rdi = ` address of its ring block, `rsi = argument`. Its ring block has the
  # given shape; zeroes mean the default one. `priority` may not exceed the process's.

  setFsBase @1 (base :UInt64) -> ();
  # Sets the calling thread's FS base.

  exit @2 () -> ();
  # Ends the calling thread. The last one to go ends the process with code 0.

  join @3 (thread :UInt64) -> ();
  # Completes when that thread of this process has ended; at once if it is gone, `notFound` if it never was.

  yield @4 () -> ();
  # Lets others of the same priority run first.
}
