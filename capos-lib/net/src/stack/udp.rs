//! Datagrams.

use super::Stack;
use super::flows::{Flow, FlowId, Kind};
use super::listeners::Rooms;
use alloc::vec;
use core::net::SocketAddr;
use core::task::Waker;
use smoltcp::socket::udp::{self, PacketBuffer, PacketMetadata, Socket, UdpMetadata};
use smoltcp::wire::IpEndpoint;

/// One datagram in so many bytes of room, at least: small ones have as much room as large ones have.
const BYTES_PER_PACKET: usize = 512;

/// One that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Its sender.
    pub from: SocketAddr,
    /// All of its bytes; those that did not fit are lost.
    pub length: usize,
}

/// Why one is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// It is larger than the room for all.
    TooLong,
    /// There is nobody with such an address, or no way there.
    Unreachable,
    /// There is no such socket.
    Gone,
}

fn buffer(bytes: usize) -> PacketBuffer<'static> {
    let packets = (bytes / BYTES_PER_PACKET).max(4);
    PacketBuffer::new(vec![PacketMetadata::EMPTY; packets], vec![0; bytes])
}

impl Stack {
    /// A socket for what comes to that port. `None` when it is somebody's.
    pub fn bind(&mut self, port: u16, rooms: Rooms) -> Option<FlowId> {
        if self.flows.port(port).is_some() || matches!(port, 67 | 68) || !self.has_memory(rooms) {
            return None;
        }
        let mut socket = Socket::new(buffer(rooms.receive), buffer(rooms.send));
        socket.bind(port).ok()?;
        Some(self.flows.add(Flow::new(socket, Kind::Udp { port }, rooms.bytes())))
    }

    /// Sends a datagram: true, or false when there is no room, and whoever waits is woken when there is.
    pub fn send_datagram(
        &mut self,
        id: FlowId,
        to: SocketAddr,
        bytes: &[u8],
        waker: &Waker,
    ) -> Result<bool, SendError> {
        let has_way = to.port() != 0 && self.has_way(to);
        let flow = self.flows.get(id).ok_or(SendError::Gone)?;
        let socket = flow.udp().ok_or(SendError::Gone)?;
        if bytes.len() > socket.payload_send_capacity() {
            return Err(SendError::TooLong);
        }
        if !has_way {
            return Err(SendError::Unreachable);
        }
        let to = UdpMetadata::from(IpEndpoint::new(to.ip().into(), to.port()));
        match socket.send_slice(bytes, to) {
            Ok(()) => {
                self.flows.touch(id);
                Ok(true)
            }
            Err(udp::SendError::BufferFull) => {
                flow.writers.wait(waker);
                Ok(false)
            }
            Err(udp::SendError::Unaddressable) => Err(SendError::Unreachable),
        }
    }

    /// Whether there is an address of that version to send from.
    fn has_way(&self, to: SocketAddr) -> bool {
        !to.ip().is_unspecified() && self.addresses().any(|(own, _)| own.is_ipv4() == to.is_ipv4())
    }

    /// The next datagram that came; `None` when there is none yet: whoever waits is woken.
    pub fn receive_datagram(&mut self, id: FlowId, into: &mut [u8], waker: &Waker) -> Option<Datagram> {
        let came = self.receive_with(id, |came, bytes| {
            let count = bytes.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            came
        });
        if came.is_none()
            && let Some(flow) = self.flows.get(id)
        {
            flow.readers.wait(waker);
        }
        came
    }

    /// The same where its bytes lie, for who does not wait.
    pub fn receive_with<T>(&mut self, id: FlowId, take: impl FnOnce(Datagram, &[u8]) -> T) -> Option<T> {
        let flow = self.flows.get(id)?;
        let (bytes, about) = flow.udp()?.recv().ok()?;
        let from = SocketAddr::new(about.endpoint.addr.into(), about.endpoint.port);
        Some(take(Datagram { from, length: bytes.len() }, bytes))
    }

    /// Ends a socket for datagrams or pings. What was not sent yet is not.
    pub fn unbind(&mut self, id: FlowId) {
        self.flows.remove(id);
    }
}
