//! Pings.

use super::Stack;
use super::flows::{Flow, FlowId, Kind};
use super::listeners::Rooms;
use alloc::vec;
use core::net::IpAddr;
use core::task::Waker;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::icmp::{Endpoint, PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};

/// Bytes for what goes out, and for what comes.
const ROOM: usize = 16 * 1024;
const ROOMS: Rooms = Rooms { receive: ROOM, send: ROOM };

/// What a ping carries at most.
pub const LONGEST: usize = 8 * 1024;

impl Stack {
    /// A socket for pings, and the answers to them.
    pub fn open_echo(&mut self) -> Option<FlowId> {
        if !self.has_memory(ROOMS) {
            return None;
        }
        let ident = (0..64).map(|_| self.random() as u16).collect::<vec::Vec<_>>();
        let ident = ident.into_iter().find(|ident| self.flows.ident(*ident).is_none())?;
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; ROOM]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.bind(Endpoint::Ident(ident)).ok()?;
        Some(self.flows.add(Flow::new(socket, Kind::Echo { ident }, ROOMS.bytes())))
    }

    /// Sends one. False when it can not go there.
    pub fn ping(&mut self, id: FlowId, to: IpAddr, number: u16, data: &[u8]) -> bool {
        let Some(data) = data.get(..data.len().min(LONGEST)) else { return false };
        let source = self.iface.get_source_address(&to.into()).map(IpAddr::from);
        let Some(source) = source.filter(|source| !source.is_unspecified() && !to.is_unspecified()) else {
            return false;
        };
        let Some(flow) = self.flows.get(id) else { return false };
        let Kind::Echo { ident } = flow.kind else { return false };
        let Some(socket) = flow.echo() else { return false };
        let checksums = ChecksumCapabilities::default();
        let is_sent = match (source, to) {
            (IpAddr::V6(source), IpAddr::V6(v6)) => {
                let echo = Icmpv6Repr::EchoRequest { ident, seq_no: number, data };
                let room = socket.send(echo.buffer_len(), to.into());
                room.map(|room| echo.emit(&source, &v6, &mut Icmpv6Packet::new_unchecked(room), &checksums))
            }
            _ => {
                let echo = Icmpv4Repr::EchoRequest { ident, seq_no: number, data };
                let room = socket.send(echo.buffer_len(), to.into());
                room.map(|room| echo.emit(&mut Icmpv4Packet::new_unchecked(room), &checksums))
            }
        };
        self.flows.touch(id);
        is_sent.is_ok()
    }

    /// The next answer: from whom, and to which one; `None` when there is none yet: whoever waits is woken.
    pub fn pong(&mut self, id: FlowId, waker: &Waker) -> Option<(IpAddr, u16, usize)> {
        let flow = self.flows.get(id)?;
        if !flow.echo()?.can_recv() {
            flow.readers.wait(waker);
            return None;
        }
        let (payload, from) = flow.echo()?.recv().ok()?;
        // Behind type, code, checksum and identifier (RFC 792 page 14, RFC 4443 section 4.2).
        let number = payload.get(6..8).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes)?;
        Some((from.into(), number, payload.len().saturating_sub(8)))
    }
}
