@0xa11c0de0f00d010a;
using Capos = import "capos.capnp";
using import "device.capnp".Device;
using import "device_manager.capnp".DeviceState;
using import "device_manager.capnp".DmaBackend;

interface Devices {
  # Which driver has which function: for the person who looks after the machine.

  list @0 (cursor :UInt32) -> (address :UInt32, vendor :UInt16, device :UInt16, class :UInt32, state :DeviceState, backend :DmaBackend, generation :UInt32, bridge :Bool, next :UInt32, driver :Text);
  # The first function at or after `cursor` (bus << 8 | device << 3 | function); `notFound` when there is none. `driver` is the service that
  # has it, or nothing.
}

interface DeviceClaim @0xf11c0de0f00d010b {
  # The right to a device that the manifest describes, which a driver holds. Who has it has no device yet.

  claim @0 (wait :Bool) -> (device :Device);
  # The first function that is as the manifest says and that nobody has. It is the caller's until the last capability for it is gone. Without one
  # it waits for one, if it may. Else it ends with `notFound`, or, when there are such functions and none of them is to be had now, with `exists`.
}
