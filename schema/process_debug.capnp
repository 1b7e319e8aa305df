@0xa11c0de0f00d0020;
using Capos = import "capos.capnp";

enum StopCause {
  asked @0;
  # By `stop`.
  step @1;
  # One instruction is done.
  breakpoint @2;
  fault @3;
  # It did what the processor does not allow: exception `vector`. It has not ended, and may be mended.
  ended @4;
  # The process has ended; there is no thread.
}

enum ThreadState {
  running @0;
  # Or ready to.
  waiting @1;
  # In `cap_enter`.
  stopping @2;
  stopped @3;
}

enum BreakKind {
  execute @0;
  write @1;
  access @2;
  # Read or write.
}

enum BreakAction {
  stop @0;
  kill @1;
  fault @2;
  # As if the instruction had raised an exception.
}

interface ProcessDebug $Capos.kernelHosted {
  # Everything about one process: whoever holds it can make the process do whatever the process may do. When the last copy is given up, stopped
  # threads go on and breakpoints are gone. A thread is named by its id; 0 is all of them. Of a thread that does not exist any more:
  # `notFound`; of one that is not stopped, where it must be: `wrongState`.

  thread @0 (cursor :UInt64) -> (id :UInt64, ring :UInt64, submitted :UInt32, completed :UInt32, priority :UInt8, state :ThreadState);
  # The first thread whose id is at or after `cursor`; `notFound` when there is none. `ring` is where it finds its ring block.

  stop @1 (thread :UInt64) -> ();
  # Stops it wherever it is: `wait` tells when it is done. After `stop(0)` new threads begin stopped, until `resume(0)`.

  resume @2 (thread :UInt64, step :Bool, redirect :Bool, rip :UInt64) -> ();
  # Lets it go on; with `step` for one instruction. With `redirect` it goes on at `rip`; a wait that it is in is over then.

  wait @3 () -> (cause :StopCause, vector :UInt8, breakpoint :UInt8, thread :UInt64, errorCode :UInt64, address :UInt64,
      rip :UInt64, rsp :UInt64, rflags :UInt64, fsBase :UInt64, rax :UInt64, rbx :UInt64, rcx :UInt64, rdx :UInt64, rsi :UInt64, rdi :UInt64,
      rbp :UInt64, r8 :UInt64, r9 :UInt64, r10 :UInt64, r11 :UInt64, r12 :UInt64, r13 :UInt64, r14 :UInt64, r15 :UInt64);
  # Completes when a thread has stopped of which nobody was told yet, with why and its registers. One at a time: `wrongState`.

  resumeAndWait @4 (thread :UInt64, step :Bool, redirect :Bool, rip :UInt64) -> (cause :StopCause, vector :UInt8, breakpoint :UInt8,
      thread :UInt64, errorCode :UInt64, address :UInt64, rip :UInt64, rsp :UInt64, rflags :UInt64);
  # `resume`, and `wait`: for who mends faults. The other registers are told by `registers`. All or nothing: when it is refused, as `wait` may
  # be, too, nothing has gone on.

  registers @5 (thread :UInt64) -> (rip :UInt64, rsp :UInt64, rflags :UInt64, fsBase :UInt64, rax :UInt64, rbx :UInt64, rcx :UInt64, rdx :UInt64, rsi :UInt64, rdi :UInt64,
      rbp :UInt64, r8 :UInt64, r9 :UInt64, r10 :UInt64, r11 :UInt64, r12 :UInt64, r13 :UInt64, r14 :UInt64, r15 :UInt64);
  # Of a stopped thread. One in a system call has given up all but the preserved ones and `rax`.

  setRegisters @6 (thread :UInt64, rip :UInt64, rsp :UInt64, rflags :UInt64, fsBase :UInt64, rax :UInt64, rbx :UInt64, rcx :UInt64, rdx :UInt64, rsi :UInt64, rdi :UInt64,
      rbp :UInt64, r8 :UInt64, r9 :UInt64, r10 :UInt64, r11 :UInt64, r12 :UInt64, r13 :UInt64, r14 :UInt64, r15 :UInt64) -> ();
  # All of them. Flags that user code may not set stay as they are; `invalidArgument` when `rip` or `fsBase` is no user address. A wait
  # that it is in is over then.

  read @7 (address :UInt64, length :UInt32) -> (data :Data);
  # Its memory, at most 4,000 bytes, whatever the protection; `notFound` when some of it is not there.

  write @8 (address :UInt64, data :Data) -> ();
  # All or nothing. What it shares with others and may not write itself (its code, say) becomes its own copy, at its expense.

  setBreakpoint @9 (slot :UInt8, kind :BreakKind, length :UInt8, action :BreakAction, vector :UInt8, hits :UInt32, thread :UInt64, address :UInt64) -> ();
  # In one of four slots, for one thread or all. Every `hits`th time (at least 1) `action` happens: before the instruction at `address` is
  # executed (`length` 1), or after one wrote or read there (`length` 1, 2, 4 or 8, aligned). `vector` is of the fault, below 32. What
  # hits several is counted for each.

  clearBreakpoint @10 (slot :UInt8) -> (hits :UInt64);
  # Takes it out; says how often it was hit.

  inject @11 (thread :UInt64, vector :UInt8) -> ();
  # The process ends as if that stopped thread had raised the exception, with a crash record.

  setTrace @12 (on :Bool) -> ();
  # Whether submissions and completions are recorded in its trace (`ProcessHandle.trace`); they are not in the beginning, and it stays so when
  # this capability is given up.
}
