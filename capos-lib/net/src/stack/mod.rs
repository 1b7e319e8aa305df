//! The stack without its device and its clients: frames go in, frames come out, and sockets are in between.
//!
//! smoltcp speaks the protocols. It looks through all sockets of a set for each frame and each turn; here each socket has a set of its own, and
//! what is for whom is looked up ([`crate::frame`]), so that a frame costs the same with one connection and with thousands.

mod addresses;
mod echo;
mod flows;
mod fragments;
mod listeners;
mod newest;
mod port;
mod tcp;
mod udp;
mod wakers;

pub use addresses::{Lease, Settings};
pub use flows::{Fate, FlowId};
pub use listeners::{ListenerId, Rooms};
pub use port::Link;
pub use tcp::{ConnectError, Ends, Read, Written};
pub use udp::{Datagram, SendError};

use crate::frame::{Seen, Whose, is_sound, look};
use addresses::House;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::num::NonZeroUsize;
use flows::{Flow, Flows};
use fragments::Fragments;
use listeners::Listeners;
use newest::Secret;
use port::Port;
use smoltcp::iface::{Config, Interface, PollResult};
use smoltcp::phy::{Checksum, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress};
use tcp::Knock;

/// Frames of one connection that go out before the others have their turn.
const BURST: usize = 16;

/// How long smoltcp waits with an acknowledgement for something that can carry it.
const ACK_DELAY_NS: u64 = 10_000_000;

/// What the device takes off us.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offloads {
    /// It fills in the checksums of TCP and UDP.
    pub sends: bool,
    /// It says of frames that come that they are right, when it knows.
    pub receives: bool,
    /// It makes frames of TCP's that have so many bytes, of either version.
    pub segments: [Option<NonZeroUsize>; 2],
}

/// The stack of one device.
pub struct Stack {
    iface: Box<Interface>,
    capabilities: DeviceCapabilities,
    house: House,
    flows: Flows,
    listeners: Listeners,
    fragments: Fragments,
    /// Connections without a client that may not be over yet, the oldest first.
    orphans: VecDeque<FlowId>,
    /// Bytes that the buffers of all sockets may have.
    memory: usize,
    random: u64,
    /// What the numbers of connections begin with depends on it.
    secret: Secret,
    now: u64,
}

impl Stack {
    /// Nothing is known but the device: its address, and how many bytes a frame may have behind the Ethernet header (576 to 9,216). `seed` is
    /// known to nobody. The buffers of all sockets have `memory` bytes at most.
    pub fn new(
        mac: [u8; 6],
        mtu: usize,
        offloads: Offloads,
        memory: usize,
        seed: [u64; 2],
        now: u64,
    ) -> Stack {
        let capabilities = capabilities(mtu.clamp(576, 9216), offloads);
        let mut mac = mac;
        // What is no station's address smoltcp refuses to have.
        if mac[0] & 1 != 0 || mac == [0; 6] {
            mac = [2, 0, 0, 0, 0, 1];
        }
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        let [seed, other] = seed;
        config.random_seed = mix(seed ^ other);
        let mut nowhere =
            Port { frame: None, link: &mut port::Nowhere, capabilities: &capabilities, newest: None };
        let mut iface = Box::new(Interface::new(config, &mut nowhere, instant(now)));
        let house = House::new(&mut iface, mac, now);
        let (flows, listeners, fragments, orphans) = Default::default();
        Stack {
            memory,
            iface,
            capabilities,
            house,
            flows,
            listeners,
            fragments,
            orphans,
            random: mix(seed ^ now),
            secret: Secret(seed, other),
            now,
        }
    }

    /// Takes a frame in; `is_checked` when the device says that its checksum is right. What it sets off is sent with the next [`Stack::turn`], but for answers that need no socket.
    pub fn take_in<L: Link>(&mut self, frame: &mut [u8], is_checked: bool, link: &mut L, now: u64) {
        self.now = now;
        // smoltcp looks at all of them, or at none.
        if !is_checked && !self.capabilities.checksum.tcp.rx() && !is_sound(frame) {
            return;
        }
        let seen: Seen = look(frame);
        let mut bytes = 0;
        let flow = match self.fragments.whose(seen) {
            Whose::Tcp { ends, opens, payload } => match self.flows.connection(&ends) {
                Some(id) if !(opens && self.is_over(id)) => {
                    bytes = payload;
                    Some(id)
                }
                over => {
                    over.map(|id| self.flows.remove(id));
                    let opens = opens || seen.part.is_some();
                    match if opens { self.awaited(ends) } else { Knock::Nobody } {
                        Knock::Opens(id) => Some(id),
                        Knock::Nobody => None,
                        Knock::Full => return,
                    }
                }
            },
            Whose::Udp { port } => self.flows.port(port),
            Whose::Echo { ident } => self.flows.ident(ident),
            Whose::Error { ends } => {
                self.is_unreachable(ends);
                None
            }
            Whose::Neighbor | Whose::Other => None,
        };
        match flow {
            Some(id) => self.feed(id, frame, bytes, link),
            None => {
                let mut port =
                    Port { frame: Some(frame), link, capabilities: &self.capabilities, newest: None };
                self.iface.poll_ingress_single(instant(now), &mut port, &mut self.house.set);
                self.house.is_dirty = true;
                self.house.routers.take_in(frame, now);
                if seen.whose == Whose::Neighbor {
                    self.flows.found_neighbor();
                }
            }
        }
    }

    fn feed<L: Link>(&mut self, id: FlowId, frame: &mut [u8], payload: usize, link: &mut L) {
        let Some(flow) = self.flows.get(id) else { return };
        flow.newest.take_in(frame);
        let newest = Some(&mut flow.newest);
        let mut port = Port { frame: Some(frame), link, capabilities: &self.capabilities, newest };
        self.iface.poll_ingress_single(instant(self.now), &mut port, &mut flow.set);
        let tells = flow.was_fed();
        // Its answer will mostly carry the acknowledgement; if there is none it goes by itself when the delay is over.
        let is_quiet = flow.is_quiet(payload);
        if tells {
            self.flows.is_ready(id);
        }
        if is_quiet {
            if payload > 0 {
                self.flows.wake_at(id, self.now + ACK_DELAY_NS);
            }
        } else {
            self.flows.touch(id);
        }
        self.look_after(id, Fate::Reset);
    }

    /// Sends what there is to send, as far as there is room. What is left is sent by the next turn, of which there should be one when there is room.
    pub fn turn<L: Link>(&mut self, link: &mut L, now: u64) {
        self.now = now;
        self.flows.go_off(now);
        self.keep_house(link);
        let mut left = None;
        while link.has_room() {
            let Some(id) = self.flows.next_touched() else { break };
            if self.send(id, link) {
                // Once more, when all others have had their turn.
                self.flows.touch(id);
                if left == Some(id) {
                    continue;
                }
                left.get_or_insert(id);
            }
        }
    }

    /// Sends what a socket has; whether it has more.
    fn send<L: Link>(&mut self, id: FlowId, link: &mut L) -> bool {
        let now = instant(self.now);
        let mut has_more = true;
        for _ in 0..BURST {
            let Some(flow) = self.flows.get(id) else { return false };
            let newest = Some(&mut flow.newest);
            let mut port = Port { frame: None, link: &mut *link, capabilities: &self.capabilities, newest };
            let sent =
                self.iface.poll_egress(now, &mut port, &mut flow.set) == PollResult::SocketStateChanged;
            let next = self.iface.poll_at(now, &flow.set);
            has_more = next.is_some_and(|at| at <= now);
            if let Some(at) = next.filter(|_| !has_more) {
                self.flows.wake_at(id, nanoseconds(at));
                if !sent {
                    self.flows.is_lonely(id);
                    self.forget_closed(id);
                }
            }
            // One that could send, and did not, can not be helped now.
            if !has_more || !link.has_room() {
                break;
            }
            if !sent {
                has_more = false;
                self.forget_closed(id);
                break;
            }
        }
        if self.flows.get(id).is_some_and(Flow::has_sent) {
            self.flows.is_ready(id);
        }
        self.look_after(id, Fate::TimedOut);
        has_more
    }

    /// The next of the sockets that are watched which has something to read, or never will.
    pub fn next_ready(&mut self) -> Option<FlowId> {
        self.flows.next_ready()
    }

    /// Whether there is something to send as soon as there is room.
    pub fn has_more(&self) -> bool {
        self.flows.has_touched() || self.house.is_dirty
    }

    /// When the next turn is due though nothing happens, nanoseconds as of `now`.
    pub fn deadline(&self) -> Option<u64> {
        [self.flows.first_timer(), self.house.deadline].into_iter().flatten().min()
    }

    /// Whether there is memory for such buffers.
    fn has_memory(&self, rooms: Rooms) -> bool {
        self.flows.bytes().saturating_add(rooms.bytes()) <= self.memory
    }

    /// How many sockets there are.
    pub fn sockets(&self) -> usize {
        self.flows.len()
    }

    /// Entries of all lists that frames make longer: some for each socket, and a number that does not grow.
    pub fn entries(&self) -> usize {
        self.flows.entries() + self.listeners.entries() + self.fragments.len() + self.orphans.len()
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random)
    }

    /// Makes what is drawn from now on depend on something else that nobody knows.
    pub fn stir(&mut self, seed: u64) {
        self.random ^= mix(seed);
    }
}

/// A number of which every bit depends on all bits of another one (the finalizer of SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

fn capabilities(mtu: usize, offloads: Offloads) -> DeviceCapabilities {
    let mut capabilities = DeviceCapabilities::default();
    capabilities.medium = Medium::Ethernet;
    // With the Ethernet header.
    capabilities.max_transmission_unit = mtu + 14;
    let checksum = match (offloads.sends, offloads.receives) {
        (false, false) => Checksum::Both,
        (false, true) => Checksum::Tx,
        (true, false) => Checksum::Rx,
        (true, true) => Checksum::None,
    };
    (capabilities.checksum.tcp, capabilities.checksum.udp) = (checksum, checksum);
    let [v4, v6] = if offloads.sends { offloads.segments } else { [None; 2] };
    (capabilities.segmentation.tcpv4, capabilities.segmentation.tcpv6) = (v4, v6);
    capabilities
}

/// smoltcp counts microseconds.
fn instant(ns: u64) -> Instant {
    Instant::from_micros(i64::try_from(ns / 1000).unwrap_or(i64::MAX))
}

/// Not before it, in nanoseconds.
fn nanoseconds(instant: Instant) -> u64 {
    u64::try_from(instant.total_micros()).unwrap_or(0).saturating_mul(1000)
}

#[cfg(test)]
mod tests;
