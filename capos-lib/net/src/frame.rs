//! Whose a frame is: as much of its headers as it takes to find the socket. Whether they are right smoltcp looks at.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress,
    IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket, checksum,
};

/// The two ends of a connection. Ordered by ports first, which differ most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tuple {
    /// The peer's.
    pub remote_port: u16,
    /// Ours.
    pub local_port: u16,
    /// The peer's.
    pub remote: IpAddr,
    /// Ours.
    pub local: IpAddr,
}

/// What distinguishes the fragments of one datagram (RFC 791 section 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FragmentKey {
    /// Its sender.
    pub from: Ipv4Addr,
    /// Whom it is for.
    pub to: Ipv4Addr,
    /// The sender's number of the datagram.
    pub number: u16,
    /// What it carries.
    pub protocol: u8,
}

/// Where the payload of a frame belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// A segment; one that begins a connection when `opens`.
    Tcp {
        /// Of this one.
        ends: Tuple,
        /// Its first segment.
        opens: bool,
        /// Bytes in it, if that is known.
        payload: usize,
    },
    /// A datagram.
    Udp {
        /// To this port.
        port: u16,
    },
    /// The answer to a ping.
    Echo {
        /// Of whoever sends those.
        ident: u16,
    },
    /// Word that the remote end of a connection can not be reached.
    Error {
        /// Of this one.
        ends: Tuple,
    },
    /// Says where a neighbour is.
    Neighbor,
    /// Anything else, what is broken too.
    Other,
}

/// What is seen of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Where it belongs.
    pub whose: Whose,
    /// It is part of a datagram: the first one, which has ports, when `whose` says so.
    pub part: Option<FragmentKey>,
}

const OTHER: Seen = Seen { whose: Whose::Other, part: None };

/// Looks at a frame.
pub fn look(frame: &[u8]) -> Seen {
    let Ok(ethernet) = EthernetFrame::new_checked(frame) else { return OTHER };
    match ethernet.ethertype() {
        EthernetProtocol::Arp => Seen { whose: Whose::Neighbor, part: None },
        EthernetProtocol::Ipv4 => look_v4(ethernet.payload()).unwrap_or(OTHER),
        EthernetProtocol::Ipv6 => {
            Seen { whose: look_v6(ethernet.payload()).unwrap_or(Whose::Other), part: None }
        }
        EthernetProtocol::Unknown(_) => OTHER,
    }
}

/// Where the checksum of a frame's segment or datagram is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sum {
    /// Where what is summed begins.
    pub start: u16,
    /// Where the sum is, counted from there.
    pub offset: u16,
}

/// A frame's segment or datagram, if it is whole: where it begins, of which protocol, and from whom to whom.
fn transport(frame: &[u8]) -> Option<(usize, IpProtocol, IpAddress, IpAddress, &[u8])> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let begin = EthernetFrame::<&[u8]>::header_len();
    match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => {
            let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
            let is_whole = !ip.more_frags() && ip.frag_offset() == 0;
            let at = begin + usize::from(ip.header_len());
            is_whole.then(|| (at, ip.next_header(), ip.src_addr().into(), ip.dst_addr().into(), ip.payload()))
        }
        EthernetProtocol::Ipv6 => {
            let ip = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
            let at = begin + ip.header_len();
            Some((at, ip.next_header(), ip.src_addr().into(), ip.dst_addr().into(), ip.payload()))
        }
        _ => None,
    }
}

/// Whether the checksum of a segment or datagram is right. True for all else: that is looked at where it is taken apart.
pub fn is_sound(frame: &[u8]) -> bool {
    let Some((_, protocol, from, to, payload)) = transport(frame) else { return true };
    match protocol {
        IpProtocol::Tcp => TcpPacket::new_checked(payload).is_ok_and(|tcp| tcp.verify_checksum(&from, &to)),
        IpProtocol::Udp => UdpPacket::new_checked(payload).is_ok_and(|udp| udp.verify_checksum(&from, &to)),
        _ => true,
    }
}

/// Prepares a frame whose checksum the device fills in: puts there what it begins with (the sum of what is above the segment or datagram, RFC 9293 section
/// 3.1). Nothing when it has none to be filled in.
pub fn leave_sum(frame: &mut [u8]) -> Option<Sum> {
    let (start, protocol, from, to, payload) = transport(frame)?;
    let offset = match protocol {
        IpProtocol::Tcp => 16,
        IpProtocol::Udp => 6,
        _ => return None,
    };
    let above = checksum::pseudo_header(&from, &to, protocol, u32::try_from(payload.len()).ok()?);
    let place = frame.get_mut(start + offset..)?.first_chunk_mut::<2>()?;
    *place = above.to_be_bytes();
    Some(Sum { start: start as u16, offset: offset as u16 })
}

fn look_v4(packet: &[u8]) -> Option<Seen> {
    let packet = Ipv4Packet::new_checked(packet).ok()?;
    let (remote, local) = (packet.src_addr(), packet.dst_addr());
    let is_part = packet.more_frags() || packet.frag_offset() != 0;
    let part = is_part.then(|| FragmentKey {
        from: remote,
        to: local,
        number: packet.ident(),
        protocol: packet.next_header().into(),
    });
    let payload = packet.payload();
    let whose = match packet.frag_offset() {
        0 if is_part => first_part(packet.next_header(), payload, remote.into(), local.into()),
        0 => whole(packet.next_header(), payload, remote.into(), local.into()),
        _ => None,
    };
    Some(Seen { whose: whose.unwrap_or(Whose::Other), part })
}

fn look_v6(packet: &[u8]) -> Option<Whose> {
    let packet = Ipv6Packet::new_checked(packet).ok()?;
    let (remote, local): (Ipv6Addr, Ipv6Addr) = (packet.src_addr(), packet.dst_addr());
    match packet.next_header() {
        IpProtocol::Icmpv6 => icmp_v6(packet.payload()),
        protocol => whole(protocol, packet.payload(), remote.into(), local.into()),
    }
}

fn icmp_v6(payload: &[u8]) -> Option<Whose> {
    let packet = Icmpv6Packet::new_checked(payload).ok()?;
    match packet.msg_type() {
        Icmpv6Message::NeighborAdvert | Icmpv6Message::NeighborSolicit | Icmpv6Message::RouterAdvert => {
            Some(Whose::Neighbor)
        }
        Icmpv6Message::EchoReply => Some(Whose::Echo { ident: packet.echo_ident() }),
        Icmpv6Message::DstUnreachable => {
            // What follows is the packet that did not get there (RFC 4443 section 3.1).
            let lost = Ipv6Packet::new_unchecked(payload.get(8..).filter(|lost| lost.len() >= 44)?);
            let ports = (lost.next_header() == IpProtocol::Tcp).then(|| payload.get(48..52)).flatten()?;
            error(ports, lost.dst_addr().into(), lost.src_addr().into())
        }
        _ => None,
    }
}

fn icmp_v4(payload: &[u8]) -> Option<Whose> {
    let packet = Icmpv4Packet::new_checked(payload).ok()?;
    match packet.msg_type() {
        Icmpv4Message::EchoReply => Some(Whose::Echo { ident: packet.echo_ident() }),
        Icmpv4Message::DstUnreachable => {
            // What follows is the header of the packet that did not get there, and at least the 8 bytes behind it (RFC 792).
            let lost = Ipv4Packet::new_unchecked(payload.get(8..).filter(|lost| lost.len() >= 28)?);
            let behind = 8 + usize::from(lost.header_len());
            let ports = payload.get(behind..behind + 4).filter(|_| lost.next_header() == IpProtocol::Tcp)?;
            error(ports, lost.dst_addr().into(), lost.src_addr().into())
        }
        _ => None,
    }
}

/// The connection that a segment of ours was of, by the ports in front of it.
fn error(ports: &[u8], remote: IpAddr, local: IpAddr) -> Option<Whose> {
    let &[a, b, c, d] = ports else { return None };
    let (local_port, remote_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(Whose::Error { ends: Tuple { remote_port, local_port, remote, local } })
}

fn whole(protocol: IpProtocol, payload: &[u8], remote: IpAddr, local: IpAddr) -> Option<Whose> {
    match protocol {
        IpProtocol::Tcp => {
            let tcp = TcpPacket::new_checked(payload).ok()?;
            let ends = Tuple { remote_port: tcp.src_port(), local_port: tcp.dst_port(), remote, local };
            Some(Whose::Tcp {
                ends,
                opens: tcp.syn() && !tcp.ack() && !tcp.rst() && !tcp.fin(),
                payload: tcp.payload().len(),
            })
        }
        IpProtocol::Udp => {
            let udp = UdpPacket::new_checked(payload).ok()?;
            Some(Whose::Udp { port: udp.dst_port() })
        }
        IpProtocol::Icmp => icmp_v4(payload),
        _ => None,
    }
}

/// The same of a first fragment, in which the payload goes on behind the frame. One that opens a connection in fragments belongs to nobody.
fn first_part(protocol: IpProtocol, payload: &[u8], remote: IpAddr, local: IpAddr) -> Option<Whose> {
    let &[a, b, c, d, ..] = payload else { return None };
    let (remote_port, local_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match protocol {
        IpProtocol::Tcp => {
            let ends = Tuple { remote_port, local_port, remote, local };
            Some(Whose::Tcp { ends, opens: false, payload: usize::MAX })
        }
        IpProtocol::Udp => Some(Whose::Udp { port: local_port }),
        _ => None,
    }
}
