//! What a network adapter says of itself (virtio 1.2, 5.1.3, 5.1.4), and what that means.

use crate::register::{self, Field, Width};
use crate::{Choice, DeviceFault, Wish};

/// A station's address.
pub type Mac = [u8; 6];

/// Feature bits (5.1.3).
pub mod features {
    /// The device fills in checksums of what is sent.
    pub const CSUM: u64 = 1 << 0;
    /// It may leave that to us, or say that a checksum is right.
    pub const GUEST_CSUM: u64 = 1 << 1;
    /// It says how long packets are at most.
    pub const MTU: u64 = 1 << 3;
    /// It has an address.
    pub const MAC: u64 = 1 << 5;
    /// It may give several segments of a TCP stream as one, over IPv4.
    pub const GUEST_TSO4: u64 = 1 << 7;
    /// And over IPv6.
    pub const GUEST_TSO6: u64 = 1 << 8;
    /// It cuts what is sent into segments, over IPv4.
    pub const HOST_TSO4: u64 = 1 << 11;
    /// And over IPv6.
    pub const HOST_TSO6: u64 = 1 << 12;
    /// A frame may be in several buffers.
    pub const MRG_RXBUF: u64 = 1 << 15;
    /// It says whether its link is up.
    pub const STATUS: u64 = 1 << 16;
    /// It has a control queue.
    pub const CTRL_VQ: u64 = 1 << 17;
    /// There it is told what to receive.
    pub const CTRL_RX: u64 = 1 << 18;
    /// It has several pairs of queues.
    pub const MQ: u64 = 1 << 22;
    /// Its address can be set.
    pub const CTRL_MAC_ADDR: u64 = 1 << 23;
}

use features::{
    CSUM, CTRL_MAC_ADDR, CTRL_RX, CTRL_VQ, GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, HOST_TSO4, HOST_TSO6, MAC, MQ,
    MRG_RXBUF, MTU, STATUS,
};
use register::features::{ANY_LAYOUT, EVENT_IDX, VERSION_1};

/// Always of use. Not so the ECN bits, UFO, USO, VLANs, hashes, and ANNOUNCE: the stack has no use for them.
const FEATURES: u64 = CSUM
    | GUEST_CSUM
    | MTU
    | MAC
    | HOST_TSO4
    | HOST_TSO6
    | MRG_RXBUF
    | STATUS
    | CTRL_VQ
    | CTRL_RX
    | CTRL_MAC_ADDR
    | ANY_LAYOUT;

/// What needs what (5.1.3.1). A header in front of its frame needs leave in the legacy interface (5.1.6.6), and in several buffers it can only be there; a
/// frame of many segments is in several buffers, since ours are not made for the largest.
const NEEDS: [(u64, u64); 8] = [
    (MRG_RXBUF, VERSION_1 | ANY_LAYOUT),
    (HOST_TSO4 | HOST_TSO6, CSUM),
    (GUEST_TSO4 | GUEST_TSO6, GUEST_CSUM),
    (GUEST_TSO4 | GUEST_TSO6, MRG_RXBUF),
    (CTRL_RX, CTRL_VQ),
    (MQ, CTRL_VQ),
    (CTRL_MAC_ADDR, CTRL_VQ),
    // Nothing would be said there.
    (CTRL_VQ, CTRL_RX | MQ | CTRL_MAC_ADDR),
];

/// Fields of the configuration that are read.
pub const FIELDS: usize = 9;

/// These: six bytes of the address, status, max_virtqueue_pairs, mtu.
const CONFIG: [Field; FIELDS] = [
    field(0, Width::Bits8, MAC),
    field(1, Width::Bits8, MAC),
    field(2, Width::Bits8, MAC),
    field(3, Width::Bits8, MAC),
    field(4, Width::Bits8, MAC),
    field(5, Width::Bits8, MAC),
    field(6, Width::Bits16, STATUS),
    field(8, Width::Bits16, MQ),
    field(10, Width::Bits16, MTU),
];

const fn field(offset: u32, width: Width, needs: u64) -> Field {
    Field { offset, width, needs }
}

/// Pairs of queues that are used at most.
pub const PAIRS: u16 = 4;

/// Pairs that a device may have (5.1.4).
const MOST_PAIRS: u16 = 0x8000;

/// Packets that any network takes (5.1.4.1), and those of one that says nothing.
const LEAST_MTU: u16 = 68;
const USUAL_MTU: u16 = 1500;

/// Descriptors of each queue that are of use.
pub(super) const DESCRIPTORS: u16 = 256;

/// Two of each pair, and the control queue.
const SIZES: [u16; 2 * PAIRS as usize + 1] = [DESCRIPTORS; 2 * PAIRS as usize + 1];

/// What a driver wants beyond the usual.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The device itself reads the rings that we write. Where the kernel copies them, it is the kernel that asks the device whether it wants to be
    /// told, and what we want to be told of reaches the device only with what is published: EVENT_IDX is of no use then.
    pub direct: bool,
    /// Frames that are several segments in one are received.
    pub large: bool,
    /// Several pairs of queues are used.
    pub pairs: bool,
}

/// What a driver with `vectors` interrupt vectors wants of the device.
pub const fn wish(vectors: u16, options: Options) -> Wish<FIELDS> {
    let mut features = FEATURES;
    if options.direct {
        features |= EVENT_IDX;
    }
    if options.large {
        features |= GUEST_TSO4 | GUEST_TSO6;
    }
    if options.pairs {
        features |= MQ;
    }
    Wish { features, queues: &SIZES, needed: SIZES.len() as u16, vectors, config: CONFIG }
}

/// What of that depends on what the device is like. The control queue is behind all others that the device has, used or not (5.1.2).
pub const CHOICE: Choice<FIELDS> = Choice { needs: &NEEDS, queue };

fn queue(position: u16, features: u64, config: &[u32; FIELDS]) -> Option<u16> {
    let [.., there, _] = *config;
    // More than there can be is found out later; so is none.
    let there = if features & MQ != 0 { there.clamp(1, MOST_PAIRS.into()) as u16 } else { 1 };
    let used = 2 * there.min(PAIRS);
    match position {
        n if n < used => Some(n),
        n if n == used && features & CTRL_VQ != 0 => there.checked_mul(2),
        _ => None,
    }
}

/// What the adapter is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    features: u64,
    /// Its address, if it has one.
    pub mac: Option<Mac>,
    /// Bytes of a packet at most.
    pub mtu: u16,
    /// Whether the link is up.
    pub link: bool,
    /// Pairs of queues that are used.
    pub(super) pairs: u16,
}

impl Shape {
    /// From the features that were agreed upon, and the fields of the wish.
    ///
    /// # Errors
    /// What can not be.
    pub fn new(features: u64, config: &[u32; FIELDS]) -> Result<Shape, DeviceFault> {
        let has = |feature| features & feature != 0;
        let [a, b, c, d, e, f, status, pairs, mtu] = *config;
        let mac = has(MAC).then_some([a, b, c, d, e, f].map(|byte| byte as u8));
        if let Some(mac) = mac.filter(|mac| !is_station(mac)) {
            return Err(DeviceFault::Address(mac));
        }
        let mtu = if has(MTU) { mtu as u16 } else { USUAL_MTU };
        if mtu < LEAST_MTU {
            return Err(DeviceFault::Mtu(mtu));
        }
        let pairs = if has(MQ) { pairs as u16 } else { 1 };
        if !(1..=MOST_PAIRS).contains(&pairs) {
            return Err(DeviceFault::Pairs(pairs));
        }
        let link = !has(STATUS) || status & 1 != 0;
        Ok(Shape { features, mac, mtu, link, pairs: pairs.min(PAIRS) })
    }

    /// The same adapter, as its configuration is now: its queues are set up for good, and an address that it does not tell is what it was told.
    pub(super) fn again(&self, config: &[u32; FIELDS]) -> Result<Shape, DeviceFault> {
        let shape = Shape::new(self.features, config)?;
        Ok(Shape { pairs: self.pairs, mac: shape.mac.or(self.mac), ..shape })
    }

    pub(super) const fn has(&self, features: u64) -> bool {
        self.features & features != 0
    }

    /// Whether checksums of what is sent are filled in.
    pub const fn fills_checksums(&self) -> bool {
        self.has(CSUM)
    }

    /// Whether what is sent is cut into segments, over IPv4 and over IPv6.
    pub const fn segments(&self) -> [bool; 2] {
        [self.has(HOST_TSO4), self.has(HOST_TSO6)]
    }

    /// Whether what is received may be several segments in one.
    pub const fn is_large(&self) -> bool {
        self.has(GUEST_TSO4 | GUEST_TSO6)
    }

    /// Whether it can be told what to receive.
    pub const fn filters(&self) -> bool {
        self.has(CTRL_RX)
    }

    /// Whether its address can be set.
    pub const fn takes_address(&self) -> bool {
        self.has(CTRL_MAC_ADDR)
    }

    /// Bytes that a buffer to be received into has at least. Where a frame can not go on in the next one, it has room for a whole frame with two
    /// VLAN tags; where it can, for the header and as much as makes frames of a few buffers.
    pub const fn least_room(&self) -> u32 {
        let whole = self.mtu as u32 + ETHERNET + 2 * TAG + HEADER_LONG;
        if self.has(MRG_RXBUF) && whole > LEAST_MERGED { LEAST_MERGED } else { whole }
    }

    pub(super) const fn is_modern(&self) -> bool {
        self.has(VERSION_1)
    }

    pub(super) const fn has_control(&self) -> bool {
        self.has(CTRL_VQ)
    }

    pub(super) const fn merges(&self) -> bool {
        self.has(MRG_RXBUF)
    }

    pub(super) const fn has_event_index(&self) -> bool {
        self.has(EVENT_IDX)
    }

    /// Bytes of a header (5.1.6, 5.1.6.1).
    pub(super) const fn header(&self) -> u32 {
        if self.has(VERSION_1 | MRG_RXBUF) { HEADER_LONG } else { HEADER_SHORT }
    }

    /// Whether the header of a received frame is in front of it, and not in a descriptor of its own (5.1.6.6).
    pub(super) const fn is_in_front(&self) -> bool {
        self.has(VERSION_1 | ANY_LAYOUT)
    }
}

const HEADER_LONG: u32 = 12;
const HEADER_SHORT: u32 = 10;

/// Bytes in front of an Ethernet frame's packet, and of a VLAN tag.
pub(super) const ETHERNET: u32 = 14;
const TAG: u32 = 4;

/// What a buffer has at least where frames may be in several: a packet of 64 KiB is in 32 then.
const LEAST_MERGED: u32 = 2048;

/// No group, and not nobody.
pub(super) fn is_station(mac: &Mac) -> bool {
    let [first, ..] = mac;
    first & 1 == 0 && *mac != [0; 6]
}
