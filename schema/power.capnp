@0xa11c0de0f00d000f;
using Capos = import "capos.capnp";

interface Power $Capos.kernelHosted {
  # The machine's power. Both really do it.

  reboot @0 () -> ();
  # Resets the machine; does not answer.

  halt @1 () -> ();
  # Turns the machine off where ACPI says how, else stops all processors; does not answer.
}
