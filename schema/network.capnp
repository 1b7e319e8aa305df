@0xa11c0de0f00d0150;
using Capos = import "capos.capnp";
using import "memory_object.capnp".MemoryObject;

enum TcpFate {
  # How it stands with a connection.

  opening @0;
  # The peer has not answered yet.
  open @1;
  reset @2;
  # The peer broke it off, or nobody listens there.
  silent @3;
  # The peer answers no more, or never did.
  unreachable @4;
  # On the way there somebody said that there is no such peer.
}

interface NetworkManager {
  # What a network is like, and nothing that changes it. An address is two words, `high` its first 8 bytes; those of IPv4 are mapped (::ffff:0:0/96).

  status @0 (seen :UInt32) -> (changes :UInt32, up :Bool, mac :UInt64, mtu :UInt16, dhcp :Bool);
  # Answers as soon as `changes`, which counts from 1, is not what was seen. `mac` is 0 while there is no adapter.

  address @1 (index :UInt32) -> (high :UInt64, low :UInt64, prefix :UInt8);
  # One of its addresses, and how many bits all of that network have in common (of 32 or 128); `notFound` behind the last.

  router @2 (index :UInt32) -> (high :UInt64, low :UInt64);
  # One that forwards to other networks.

  nameServer @3 (index :UInt32) -> (high :UInt64, low :UInt64);
  # One that knows names.

  statistics @4 () -> (received :UInt64, receivedBytes :UInt64, sent :UInt64, sentBytes :UInt64, dropped :UInt64, sessions :UInt32, sockets :UInt32);
  # Frames and bytes since the service began, frames that were not sent for want of room, sessions with drivers, and sockets there are.

  ping @5 (high :UInt64, low :UInt64, length :UInt32, timeoutNs :UInt64) -> (rttNs :UInt64);
  # Asks a station to answer with so many bytes, at most 8,192. `notFound` when there is no way there, or no answer in time.
}

interface TcpConnectAuthority @0xf11c0de0f00d0151 {
  # May open connections to what is in its scope: addresses and ports as in `10.0.0.0/8:80-443,[2001:db8::]/32:*,*:123`.

  connect @0 (high :UInt64, low :UInt64, port :UInt16, receive :UInt32, send :UInt32) -> (socket :TcpSocket);
  # Begins to open one, with room for so many bytes in each direction; 0 is 32,768. `denied` when that is not in the scope, `notFound` when there is no way
  # there, `budgetExhausted` when the caller has too many.

  narrow @1 (scope :Text) -> (authority :TcpConnectAuthority);
  # An authority for less. `denied` when it is for more, `invalidArgument` when it is no scope.

  scope @2 () -> (scope :Text);
  # What it is for.
}

interface TcpListenAuthority @0xf11c0de0f00d0152 {
  # May await connections at the ports in its scope; addresses in it are those of peers, who are broken off when they are not in it.

  listen @0 (port :UInt16, backlog :UInt32, receive :UInt32, send :UInt32) -> (listener :TcpListener, port :UInt16);
  # Listens at that port, or at any when it is 0. So many connections wait to be accepted at most (1 to 1,024). `exists` when somebody listens there.

  narrow @1 (scope :Text) -> (authority :TcpListenAuthority);
  # As of TcpConnectAuthority.

  scope @2 () -> (scope :Text);
  # What it is for.
}

interface TcpListener @0xf11c0de0f00d0153 {
  # A port at which connections are awaited; nobody does when the last capability is gone.

  accept @0 () -> (socket :TcpSocket, high :UInt64, low :UInt64, port :UInt16);
  # The next connection that was opened, as soon as there is one, and its peer.
}

interface TcpSocket @0xf11c0de0f00d0154 {
  # A connection. When its last capability is gone what was written is still sent, and then it ends; if something came that was not read it is broken off.
  # A connection that is broken answers `failed`; `opened` says how it is.

  opened @0 () -> (fate :TcpFate);
  # Answers as soon as it is open, or never will be; later, how it stands.

  ends @1 () -> (localHigh :UInt64, localLow :UInt64, localPort :UInt16, peerHigh :UInt64, peerLow :UInt64, peerPort :UInt16);
  # Its own end, and its peer. `notFound` when it is no more.

  read @2 (max :UInt32) -> (data :Data) $Capos.endOfStream;
  # Completes with 1 to `max` bytes (at most 4,000) as soon as there are any; `endOfStream` when the peer sends no more.

  write @3 (data :Data) -> ();
  # Completes when there was room for all of them.

  attach @4 (memory :MemoryObject) -> ();
  # Memory for `readInto` and `writeFrom` through this facet, in place of what was attached before.

  readInto @5 (at :UInt64, length :UInt32) -> (length :UInt32) $Capos.endOfStream;
  # As `read`, to byte `at` of the attached memory.

  writeFrom @6 (at :UInt64, length :UInt32) -> ();
  # As `write`, from there.

  shutdown @7 () -> ();
  # Nothing more is written. Reading goes on.

  flush @8 () -> ();
  # Completes when the peer has acknowledged all that was written.
}

interface UdpAuthority @0xf11c0de0f00d0155 {
  # May exchange datagrams with what is in its scope.

  bind @0 (port :UInt16, receive :UInt32, send :UInt32) -> (socket :UdpSocket, port :UInt16);
  # A socket at that port, or at any when it is 0, with room for so many bytes in each direction; 0 is 32,768. Ports below 49,152 have to be in the scope,
  # of any address. `exists` when it is somebody's.

  narrow @1 (scope :Text) -> (authority :UdpAuthority);
  # As of TcpConnectAuthority.

  scope @2 () -> (scope :Text);
  # What it is for.
}

interface UdpSocket @0xf11c0de0f00d0156 {
  # Datagrams.

  send @0 (high :UInt64, low :UInt64, port :UInt16, data :Data) -> ();
  # Completes when there was room for it: at most 4,000 bytes. `denied` when that is not in the scope, `notFound` when there is no way there.

  receive @1 () -> (high :UInt64, low :UInt64, port :UInt16, data :Data);
  # The next one that came, as soon as there is one, and from whom: the first 4,000 bytes of it.
}

interface DnsResolver @0xf11c0de0f00d0157 {
  # Knows names, or asks who does.

  resolve @0 (name :Text) -> (addresses :Data);
  # Its addresses, 16 bytes each, at most 8. `notFound` when there is no such name, or none of it; `failed` when nobody answers.
}
