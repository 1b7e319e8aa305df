@0xa11c0de0f00d0102;
using Capos = import "capos.capnp";

interface Console {
  # A person at a terminal. One client holds the input at a time; output of several clients is never mixed within a write.

  write @0 (text :Text) -> ();
  # Writes text. `\n` alone is enough to end a line.

  readKeys @1 (max :UInt32) -> (data :Data) $Capos.endOfStream;
  # Raw bytes as typed, at least one, for line editors. Taking the input away from the client that has it is up to the console.

  readLine @2 (prompt :Text) -> (line :Text) $Capos.endOfStream;
  # One edited line without its end, for programs that do not edit themselves. Ctrl-D on an empty line ends the stream.

  size @3 () -> (columns :UInt16, rows :UInt16);
  # The terminal's size; 80 x 24 when it does not say.
}
