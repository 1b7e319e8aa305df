//! Capabilities.

use crate::bytes::{Reader, Writer};
use crate::page::Record;

/// A place in somebody's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot {
    /// Whose table.
    pub process: u64,
    /// Which slot.
    pub slot: u32,
}

/// What a capability stands for, and what [`Capability::detail`] says about it. `object` is a number that the kernel gave; numbers of the same
/// kind that are equal mean the same object as long as somebody has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Something of the kernel that there is one of. `object` is 0.
    Kernel,
    /// The holder's own memory, threads or endpoints. `object` is the process.
    Own,
    /// The right to receive at endpoint `object`.
    Endpoint,
    /// The right to call endpoint `object`, with the badge in the detail.
    Facet,
    /// Memory `object`: pages shifted by one, and in the lowest bit whether it may be written.
    Memory,
    /// Process `object`, to do with it what one likes.
    Process,
    /// Process `object`, to see how it fares.
    Watch,
    /// Notification `object`, to wait for it.
    Notification,
    /// Notification `object`, to set the bits in the detail.
    Signaller,
    /// Alarm `object`.
    Alarm,
    /// Ports: the first, and how many shifted by 16. `object` is 0.
    Ports,
    /// Interrupt line `object`.
    Line,
    /// Process `object`, to debug it.
    Debug,
    /// A PCI function (bus << 8 | device << 3 | function), or something that came from it.
    Device,
    /// Something that this version does not know.
    Other(u8),
}

impl Kind {
    const KNOWN: [Kind; 14] = [
        Kind::Kernel,
        Kind::Own,
        Kind::Endpoint,
        Kind::Facet,
        Kind::Memory,
        Kind::Process,
        Kind::Watch,
        Kind::Notification,
        Kind::Signaller,
        Kind::Alarm,
        Kind::Ports,
        Kind::Line,
        Kind::Debug,
        Kind::Device,
    ];

    fn number(self) -> u8 {
        match self {
            Kind::Other(number) => number,
            known => (0..).zip(Self::KNOWN).find(|(_, other)| *other == known).map_or(u8::MAX, |(n, _)| n),
        }
    }

    pub(crate) fn of(number: u8) -> Kind {
        Self::KNOWN.get(usize::from(number)).copied().unwrap_or(Kind::Other(number))
    }
}

/// How it may leave its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    /// Not at all.
    Never,
    /// By moving only.
    Moves,
    /// By copying only.
    Copies,
    /// By both.
    Freely,
    /// In a way that this version does not know.
    Other(u8),
}

/// What a capability derives from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nothing: its holder made it or the kernel gave it.
    Root,
    /// The capability there, or one that was there and is gone by now and derived from it.
    From(Slot),
    /// Some that are gone, all of which this kernel looked at; those who derive from the same have the same family.
    Gone,
    /// Something that this version does not know.
    Other(u8),
}

/// One capability. 56 bytes: five words (holder, interface, object, detail, holder of what it derives from), three numbers of four bytes (slot,
/// slot of what it derives from, family), four single bytes (kind, leaves, origin, zero).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// Where it is.
    pub at: Slot,
    /// What may be called.
    pub interface: u64,
    /// What it stands for.
    pub kind: Kind,
    /// Which.
    pub object: u64,
    /// More about it.
    pub detail: u64,
    /// How it may leave.
    pub leaves: Leaves,
    /// What it derives from.
    pub origin: Origin,
    /// All that derive from the same root have the same; others may, too, when theirs is gone.
    pub family: u32,
}

impl Record for Capability {
    const LEN: usize = 56;

    fn put(&self, to: &mut Writer<'_>) {
        let nowhere = Slot { process: 0, slot: 0 };
        let (origin, parent) = match self.origin {
            Origin::Root => (0, nowhere),
            Origin::From(parent) => (1, parent),
            Origin::Gone => (2, nowhere),
            Origin::Other(origin) => (origin, nowhere),
        };
        let leaves = match self.leaves {
            Leaves::Never => 0,
            Leaves::Moves => 1,
            Leaves::Copies => 2,
            Leaves::Freely => 3,
            Leaves::Other(leaves) => leaves,
        };
        let words = [self.at.process, self.interface, self.object, self.detail, parent.process];
        words.into_iter().for_each(|word| to.word(word));
        [self.at.slot, parent.slot, self.family].into_iter().for_each(|half| to.half(half));
        to.bytes(&[self.kind.number(), leaves, origin, 0]);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (process, interface, object) = (from.word()?, from.word()?, from.word()?);
        let (detail, above) = (from.word()?, from.word()?);
        let (slot, slot_above, family) = (from.half()?, from.half()?, from.half()?);
        let [kind, leaves, origin, _] = from.array()?;
        Some(Capability {
            at: Slot { process, slot },
            interface,
            kind: Kind::of(kind),
            object,
            detail,
            leaves: match leaves {
                0 => Leaves::Never,
                1 => Leaves::Moves,
                2 => Leaves::Copies,
                3 => Leaves::Freely,
                other => Leaves::Other(other),
            },
            origin: match origin {
                0 => Origin::Root,
                1 => Origin::From(Slot { process: above, slot: slot_above }),
                2 => Origin::Gone,
                other => Origin::Other(other),
            },
            family,
        })
    }
}
