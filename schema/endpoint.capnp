@0xa11c0de0f00d0008;
using Capos = import "capos.capnp";

interface Endpoint $Capos.kernelHosted {
  # The receive right of an endpoint: who holds it serves. RECV works on it; the client facets that it mints are what is called.

  mint @0 (badge :UInt64, interface :UInt64) -> (client :Capability);
  # A client facet that speaks `interface`, with a badge of the server's choice. When the last copy of it is gone, one receive
  # completes with `unreferenced` and that badge. Refused (`budgetExhausted`) while more badges wait for such a receive than 64, and 16 for
  # each call that the endpoint may hold.
}
