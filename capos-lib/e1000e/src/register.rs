//! Registers (82574 datasheet, 10.2) that a driver has to do with. Each has four bytes, and lies in the first window.

/// One register, by its place in the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register(pub u32);

/// CTRL: control.
pub const CONTROL: Register = Register(0x0000);
/// STATUS.
pub const STATUS: Register = Register(0x0008);
/// ICR: causes of interrupts; to read them is to clear them.
pub const CAUSES: Register = Register(0x00c0);
/// ITR: how often it interrupts at most.
pub(crate) const PACE: Register = Register(0x00c4);
/// IMS: causes that interrupt.
pub const CAUSES_SET: Register = Register(0x00d0);
/// RCTL: receiving. The kernel writes all of it but the bits below.
pub const RECEIVE_CONTROL: Register = Register(0x0100);
/// TCTL: sending.
pub const SEND_CONTROL: Register = Register(0x0400);
/// TIPG: gaps between frames.
pub(crate) const GAPS: Register = Register(0x0410);
/// RDT: behind the last buffer that the device has.
pub const RECEIVE_TAIL: Register = Register(0x2818);
/// TDT: behind the last frame that it has.
pub const SEND_TAIL: Register = Register(0x3818);
/// TXDCTL: when descriptors of frames are fetched and written back.
pub(crate) const SEND_PACE: Register = Register(0x3828);
/// RXCSUM: which sums are looked at.
pub(crate) const CHECKS: Register = Register(0x5000);
/// MTA: groups that are received, and how many registers that are.
pub const GROUPS: core::ops::Range<u32> = 0x5200..0x5400;
/// RAL, RAH: the first of the device's addresses.
pub(crate) const ADDRESS: [Register; 2] = [Register(0x5400), Register(0x5404)];

/// What a register reads as where nothing is.
pub(crate) const NOTHING: u32 = u32::MAX;

/// CTRL.SLU: the link is set up.
pub(crate) const LINK_UP: u32 = 1 << 6;

/// RAH.AV: there is such an address.
pub(crate) const VALID: u32 = 1 << 31;

/// RXCSUM.IPOFLD, TUOFLD: sums of IP, TCP and UDP are looked at.
pub(crate) const ALL_CHECKS: u32 = 1 << 8 | 1 << 9;

/// Bits of receiving and of sending.
pub(crate) mod control {
    /// On.
    pub const ENABLE: u32 = 1 << 1;
    /// RCTL.UPE, MPE: what is for any station, for any group.
    pub const STATIONS: u32 = 1 << 3;
    pub const GROUPS: u32 = 1 << 4;
    /// RCTL.BAM: broadcasts.
    pub const BROADCASTS: u32 = 1 << 15;
    /// RCTL.SECRC: frames come without their check sequence.
    pub const STRIP: u32 = 1 << 26;
    /// TCTL.PSP: short frames are filled up.
    pub const FILL: u32 = 1 << 3;
    /// TCTL.CT, COLD: collisions until a frame is given up, and how late they may be, in full duplex.
    pub const COLLISIONS: u32 = 15 << 4 | 63 << 12;
}

/// Causes of interrupts.
pub mod cause {
    /// A frame was sent (TXDW).
    pub const SENT: u32 = 1 << 0;
    /// The link is not what it was (LSC).
    pub const LINK: u32 = 1 << 2;
    /// A buffer was filled (RXT0).
    pub const FILLED: u32 = 1 << 7;
}

/// Whether there is a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// There is one.
    pub is_up: bool,
    /// How fast it is, Mbit/s.
    pub mbits: u32,
}

impl Link {
    /// As the status says (10.2.2.2): of a link that is down the rest means nothing.
    pub(crate) const fn of(status: u32) -> Link {
        if status & 2 == 0 {
            return Link { is_up: false, mbits: 0 };
        }
        let mbits = match status >> 6 & 3 {
            0 => 10,
            1 => 100,
            _ => 1000,
        };
        Link { is_up: true, mbits }
    }
}
