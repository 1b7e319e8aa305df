@0xa11c0de0f00d0007;
using Capos = import "capos.capnp";
using import "endpoint.capnp".Endpoint;

interface EndpointFactory $Capos.kernelHosted {
  # Makes endpoints, charged to the process that holds it.

  create @0 (depth :UInt32) -> (endpoint :Endpoint);
  # A new endpoint. At most `depth` calls (1 to 1,024) wait in its queue or for their answer; more is `queueFull` to the caller.
}
