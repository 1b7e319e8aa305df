@0xa11c0de0f00d0007;
using Capos = import "capos.capnp";
using import "endpoint.capnp".Endpoint;
using import "notification.capnp".Notification;

interface EndpointFactory $Capos.kernelHosted {
  # Makes endpoints and notifications, charged to whoever calls.

  create @0 (depth :UInt32) -> (endpoint :Endpoint);
  # A new endpoint. At most `depth` calls (1 to 1,024) wait in its queue or for their answer; more is `queueFull` to the caller.

  createNotification @1 () -> (notification :Notification);
  # A new notification without bits. It counts as one entry of an endpoint.
}
