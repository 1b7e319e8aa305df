@0xa11c0de0f00d0109;

interface Edu {
  # A device to learn with: QEMU's `edu`. Calls are answered one after the other. `deviceFault` when it does not do what it should.

  factorial @0 (number :UInt32) -> (result :UInt32);
  # The factorial of `number` modulo 2^32, as the device has computed it and as it is.

  interrupt @1 (bits :UInt32) -> ();
  # Completes when the device has interrupted with these bits. `invalidArgument` for none, and for all 32.

  copy @2 (data :Data) -> (copied :Data);
  # Gives what arrives when the device copies `data` from one buffer to another. `invalidArgument` for nothing, and for more than 3,072 bytes.
}
