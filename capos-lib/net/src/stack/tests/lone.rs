//! One stack, and a model of what is on its network: frames are answered by a function.

use super::{B, IP, MAC, MS, Out, S};
use crate::stack::{Offloads, Stack};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use smoltcp::wire::{Icmpv6Packet, Ipv4Packet, Ipv6Packet, UdpPacket};

/// Who is on the network beside the stack, and answers.
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1];

pub struct Lone {
    pub stack: Stack,
    pub now: u64,
    /// Frames that the stack sent.
    pub sent: Vec<Vec<u8>>,
}

impl Lone {
    /// Without addresses of version 4.
    pub fn new() -> Lone {
        let stack = Stack::new(MAC[B], 1500, Offloads::default(), 1 << 20, [1, 2], 0);
        Lone { stack, now: S, sent: Vec::new() }
    }

    /// With one.
    pub fn settled() -> Lone {
        let mut lone = Lone::new();
        lone.stack.use_address(&super::Settings { address: IP[B], prefix: 24, router: Some(PEER) });
        lone
    }

    /// Something comes.
    pub fn arrive(&mut self, frame: &[u8]) {
        let mut out = Out { frames: Vec::new(), room: 64 };
        self.stack.take_in(&mut frame.to_vec(), false, &mut out, self.now);
        self.sent.extend(out.frames);
    }

    /// Goes on for so long; each frame of the stack's is answered a millisecond later by what the peer says, and by where he is.
    pub fn run(&mut self, time: u64, mut peer: impl FnMut(&[u8], u64) -> Vec<Vec<u8>>) {
        let end = self.now + time;
        loop {
            let mut out = Out { frames: Vec::new(), room: 64 };
            self.stack.turn(&mut out, self.now);
            self.sent.extend(out.frames.iter().cloned());
            let mut answers: Vec<_> = out.frames.iter().flat_map(|frame| peer(frame, self.now)).collect();
            answers.extend(out.frames.iter().filter_map(|frame| here(frame)));
            if answers.is_empty() {
                let next = self.stack.deadline().filter(|_| !self.stack.has_more());
                let next = next.unwrap_or(if self.stack.has_more() { 0 } else { u64::MAX });
                self.now = next.max(self.now + MS / 10);
            } else {
                self.now += MS;
            }
            if self.now >= end {
                self.now = end;
                return;
            }
            answers.iter().for_each(|frame| self.arrive(frame));
        }
    }
}

/// Says where the peer is, to who asks.
fn here(frame: &[u8]) -> Option<Vec<u8>> {
    let asks = frame[12..14] == [8, 6] && frame[20..22] == [0, 1] && frame[38..42] == PEER.octets();
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &PEER_MAC, &PEER.octets(), &frame[6..12], &frame[28..32]];
    asks.then(|| [&frame[6..12], &PEER_MAC, &[8, 6], &arp.concat()].concat())
}

/// A datagram of the peer's, with whatever address is asked for, as a frame.
pub fn udp(to: Ipv4Addr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = [
        &ports.0.to_be_bytes()[..],
        &ports.1.to_be_bytes(),
        &(8 + payload.len() as u16).to_be_bytes(),
        &[0; 2],
        payload,
    ]
    .concat();
    UdpPacket::new_unchecked(&mut datagram[..]).fill_checksum(&PEER.into(), &to.into());
    v4(17, to, &datagram)
}

pub fn v4(protocol: u8, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0];
    let mut packet = [&head[..], &PEER.octets(), &to.octets(), payload].concat();
    Ipv4Packet::new_unchecked(&mut packet[..]).fill_checksum();
    [&MAC[B][..], &PEER_MAC, &[8, 0], &packet].concat()
}

/// A message of a router's to all.
pub fn icmp_v6(message: &[u8]) -> Vec<u8> {
    let [high, low] = (message.len() as u16).to_be_bytes();
    let all = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut packet = [&[0x60, 0, 0, 0, high, low, 58, 255][..], &LINK_LOCAL, &all, message].concat();
    let mut ip = Ipv6Packet::new_unchecked(&mut packet[..]);
    let (from, to) = (ip.src_addr(), ip.dst_addr());
    if message.len() >= 4 {
        Icmpv6Packet::new_unchecked(ip.payload_mut()).fill_checksum(&from, &to);
    }
    [&[0x33, 0x33, 0, 0, 0, 1][..], &PEER_MAC, &[0x86, 0xdd], &packet].concat()
}
