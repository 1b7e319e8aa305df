//! What the device is asked (virtio 1.2, 5.2.6), one thing after the other where a request takes several.

use super::shape::Shape;
use capos_block::{Operation, Request, Status};

/// The type in a request's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    In = 0,
    Out = 1,
    Flush = 4,
    /// The disk's name.
    GetId = 8,
    Discard = 11,
    WriteZeroes = 13,
}

/// Bytes of a disk's name (5.2.6).
pub const ID_BYTES: usize = 20;

/// What a request has at its end (5.2.6.1).
pub(super) mod status {
    pub const OK: u8 = 0;
    pub const IOERR: u8 = 1;
    pub const UNSUPP: u8 = 2;
    /// None of the device's: what we write there before the device does.
    pub const NONE: u8 = 0xff;
}

/// Sectors to or from memory: a command of its own, as these are nearly all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Transfer {
    pub is_write: bool,
    pub unit: u64,
    pub token: u64,
    pub length: u32,
    /// It is to be flushed.
    pub is_durable: bool,
}

/// Any other thing that the device is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Command {
    pub kind: Kind,
    pub data: Data,
    pub then: Then,
}

/// What goes along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Data {
    None,
    /// The range to discard or to zero (5.2.6).
    Range {
        first: u64,
        units: u32,
    },
    /// The disk's name, into memory of our own.
    Id,
}

/// What comes after a command, if the device did it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Then {
    /// The request is done.
    #[default]
    Done,
    /// It is to be durable.
    Flush,
    /// The rest of a range.
    Rest { kind: Kind, first: u64, units: u64, is_durable: bool },
}

const FLUSH: Command = Command { kind: Kind::Flush, data: Data::None, then: Then::Done };

pub(super) const GET_ID: Command = Command { kind: Kind::GetId, data: Data::Id, then: Then::Done };

impl Transfer {
    /// Of a request with data that [`capos_block::Geometry::check`] found right; it begins at `token`.
    #[inline]
    pub(super) fn of(request: &Request, token: u64, shape: &Shape) -> Transfer {
        let is_write = request.operation == Operation::Write;
        let unit = shape.units(request.first);
        let length = request.sectors << shape.geometry.sector_shift;
        Transfer { is_write, unit, token, length, is_durable: is_write & is_to_flush(request, shape) }
    }
}

/// Where nothing is kept back what was written is durable.
#[inline]
const fn is_to_flush(request: &Request, shape: &Shape) -> bool {
    request.durable & shape.geometry.cache
}

impl Command {
    /// The first one of a request without data, which was found right as well.
    ///
    /// # Errors
    /// How it ends without the device.
    pub(super) fn of(request: &Request, shape: &Shape) -> Result<Command, Status> {
        let kind = match request.operation {
            Operation::Flush if shape.geometry.cache => return Ok(FLUSH),
            Operation::Flush => return Err(Status::Done),
            Operation::Zero => Kind::WriteZeroes,
            _ => Kind::Discard,
        };
        let (first, units) = (shape.units(request.first), shape.units(request.sectors.into()));
        Command::of_range(kind, first, units, is_to_flush(request, shape), shape).ok_or(Status::Unsupported)
    }

    /// The begin of a range: as much as the device takes at once.
    fn of_range(kind: Kind, first: u64, units: u64, is_durable: bool, shape: &Shape) -> Option<Command> {
        let most = if kind == Kind::WriteZeroes { shape.zeroes } else { shape.discards };
        let now = u32::try_from(units).unwrap_or(u32::MAX).min(most);
        let rest = units - u64::from(now);
        let then = match (rest, is_durable) {
            (0, false) => Then::Done,
            (0, true) => Then::Flush,
            (units, _) => Then::Rest { kind, first: first.wrapping_add(now.into()), units, is_durable },
        };
        (now > 0).then_some(Command { kind, data: Data::Range { first, units: now }, then })
    }

    /// What is to be asked next, if anything.
    pub(super) fn after(then: Then, shape: &Shape) -> Option<Command> {
        match then {
            Then::Done => None,
            Then::Flush => Some(FLUSH),
            Then::Rest { kind, first, units, is_durable } => {
                Command::of_range(kind, first, units, is_durable, shape)
            }
        }
    }
}
