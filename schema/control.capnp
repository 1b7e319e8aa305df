@0xa11c0de0f00d0105;
using Capos = import "capos.capnp";

interface Control {
  # How the supervisor speaks to a service that promised to be healthy. Each instance of the service has a `Control` of its own, which only
  # the supervisor can call. So a service can answer well, badly or not at all, but it can neither flood anybody nor speak for another.

  ready @0 (epoch :UInt32) -> (waits :Bool);
  # Answered when the service is ready to serve. `epoch` counts the instances of the service; it is this one's. `waits` says that it waits for
  # a device, perhaps for ever, and its clients with it.

  ping @1 () -> (waits :Bool);
  # Answered as long as the service is well, with the same. An exception says that it is not.

  drain @2 () -> ();
  # Another instance serves from now on: take no more calls, answer those that were received, and end.

  give @3 (capability :Capability, epoch :UInt32, name :Text) -> ();
  # A capability after the start, under a name. What comes from another service has that one's epoch and takes the place of what the
  # service held under the name; from a person, it is 0. `unsupported` if the service has no use for it.
}
