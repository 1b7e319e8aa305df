@0xa11c0de0f00d0106;
using Capos = import "capos.capnp";

interface Names {
  # What the manifest gives to one service, as names: for a client that outlives those it calls.

  resolve @0 (seen :UInt32, name :Text) -> (epoch :UInt32, facet :Capability);
  # The export that the manifest gives to the caller under `name`, as soon as an instance later than number `seen` serves it; with
  # `seen` 0, any. `notFound` for another name; `disconnected` when the service was given up or has ended for good. A person may start it
  # again, on another endpoint: then the name leads there.
}
