@0xa11c0de0f00d0001;
using Capos = import "capos.capnp";

enum LogLevel {
  error @0;
  warn @1;
  info @2;
  debug @3;
}

interface LogSink $Capos.kernelHosted {
  # The kernel's log, write side. Every record carries the process that wrote it; nobody can write in another's name.

  write @0 (level :LogLevel, text :Text) -> ();
  # Appends one record. Text beyond 1,024 bytes is refused as `invalidArgument`. Charged to the log bytes of the caller's
  # budget per second; what exceeds it is refused as `budgetExhausted` and counted.
}
