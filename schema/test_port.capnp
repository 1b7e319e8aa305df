@0xa11c0de0f00d0104;
using Capos = import "capos.capnp";

interface TestPort {
  # Where probes report. The host side of the lab reads it from a port of its own, never from COM1.

  event @0 (name :Text, fields :Text) -> ();
  # One event. `fields` is a JSON object. The port adds who reported it (from the badge) and a sequence number.

  finish @1 (code :UInt8) -> ();
  # Ends the run: the machine leaves with that code.
}
