@0xa11c0de0f00d000a;
using Capos = import "capos.capnp";
using import "notification.capnp".Signaller;
using import "process_debug.capnp".ProcessDebug;

enum ExitReason {
  exited @0;
  # It ended by itself; `code` is what it said.
  killed @1;
  # Somebody who holds its handle ended it.
  faulted @2;
  # It did what the processor does not allow; `code` is the exception vector.
}

enum TraceKind {
  none @0;
  created @1;
  # The process was made: program size, highest priority.
  granted @2;
  # It was given a capability: interface, slot.
  threadBegan @3;
  # First instruction, address of the ring block.
  threadEnded @4;
  faulted @5;
  # Method: exception vector. Instruction, address.
  ending @6;
  # `ExitReason`, code.
  stopped @7;
  # By a debugger: `StopCause`, instruction.
  resumed @8;
  # Instruction, 1 if it is stepped.
  entered @9;
  # `cap_enter`, while it is traced: completions to wait for, timeout.
  submitted @10;
  # Operation and method; interface, capability (or token). Of a process that is not traced only the last, when it has ended.
  completed @11;
  # Operation: completion flags. Method: exception code. User data, result.
  returned @12;
  # From a wait: completions there.
}

enum CrashLog {
  whole @0;
  # The log has a line that tells name, process, exception and addresses.
  shortened @1;
  # It had no log bytes left for that: the line tells name and exception, and that it was shortened.
  missing @2;
  # Nor for that: the log has nothing.
}

interface ProcessHandle $Capos.kernelHosted {
  # Authority over one process. Dropping it neither ends nor changes the process.

  grant @0 (capability :Capability) -> (slot :UInt32);
  # Gives a capability to a process that was not started yet. The first goes to `CapId::granted(0)`, and so on.

  start @1 (startup :Data) -> ();
  # Starts the first thread. `startup` is left unread at the beginning of its message arena.

  wait @2 () -> (reason :ExitReason, code :Int64);
  # Completes when the process has ended and everything it held is taken back.

  kill @3 () -> ();
  # Ends it now, whatever it is doing. Completes when all is taken back; harmless if it has ended already.

  info @4 () -> (id :UInt64, started :Bool, ended :Bool);
  # What it is doing.

  crash @5 () -> (vector :UInt32, errorCode :UInt64, address :UInt64, rip :UInt64, rsp :UInt64, rbp :UInt64, thread :UInt64, backtrace :Data,
                  rflags :UInt64, fsBase :UInt64, rax :UInt64, rbx :UInt64, rcx :UInt64, rdx :UInt64, rsi :UInt64, rdi :UInt64,
                  r8 :UInt64, r9 :UInt64, r10 :UInt64, r11 :UInt64, r12 :UInt64, r13 :UInt64, r14 :UInt64, r15 :UInt64, log :CrashLog);
  # The record of the fault that ended it; `notFound` if it did not end by one. `address` is what a page fault was about, `backtrace`
  # is return addresses, 8 bytes each, the innermost first. What it did before is in its trace. `log` says what its log bytes have sufficed for.

  signalOnExit @6 (signaller :Signaller) -> ();
  # Signals when the process has ended, at once if it has. It counts as one entry of an endpoint. At most eight for one process: more is
  # `wrongState`. It ends with `unbind`, and when the process that bound it gives a handle of that process up.

  unbind @7 () -> ();
  # Its end signals nobody on behalf of the process that calls.

  watch @8 () -> (watch :ProcessWatch);
  # A facet for who may know how the process fares, and nothing else.

  trace @9 (cursor :UInt64) -> (next :UInt64, lost :UInt64, timeNs :UInt64, thread :UInt64, first :UInt64, second :UInt64, method :UInt16,
                  operation :UInt8, kind :TraceKind);
  # What it did, also after its end: record number `cursor`, or the oldest that is left, `lost` having been overwritten since `cursor`. The
  # last 128 are kept. `notFound` when there is no such record yet. `thread` is 0 for what none of its own did. `timeNs` is 0
  # for submissions and completions that were found in a ring at the end: nobody knows when they were.

  debug @10 () -> (debug :ProcessDebug);
  # The right to debug it. One at a time: `wrongState` while somebody else has it, or when it has ended. `denied` for the own process.
}

interface ProcessWatch @0xf11c0de0f00d0031 $Capos.kernelHosted {
  # Knowledge of one process. Its holder can neither end it, nor start it, nor give it anything, and does not keep one that was never started.

  wait @0 () -> (reason :ExitReason, code :Int64);
  # Completes when the process has ended and everything it held is taken back.

  info @1 () -> (id :UInt64, started :Bool, ended :Bool);
  # What it is doing.
}
