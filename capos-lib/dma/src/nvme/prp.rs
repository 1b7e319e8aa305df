//! The data pointers of a command (4.3): PRP 1 and PRP 2, which is data, or a list of pointers for what is longer than two pages.

use super::queue::Reason;
use super::{Buffers, LIST, LIST_BYTES};
use crate::memory::Real;
use crate::pool::{PAGE, Pool};

/// Buffers that one command can have pinned.
pub const MOST_PINS: usize = LIST as usize + 1;

/// The buffers of a command that is being copied.
pub struct Pins<'a> {
    /// Their slots.
    pub slots: &'a mut [u16],
    /// How many.
    pub count: u16,
}

impl Pins<'_> {
    /// Pins a piece; gives its address.
    fn pin(&mut self, pool: &mut Pool, token: u64, length: u64) -> Result<u64, Reason> {
        let place = self.slots.get_mut(usize::from(self.count)).ok_or(Reason::TooLong)?;
        let located = pool.pin(token, length).map_err(Reason::Token)?;
        *place = located.slot;
        self.count += 1;
        Ok(located.address)
    }
}

/// A command's two pointers.
pub struct Pointers {
    /// Both as they stand in the command: tokens, then addresses.
    pub prp: [u64; 2],
}

/// A list that the device will read.
pub struct List<'a, R> {
    /// The ring's memory.
    pub real: &'a R,
    /// Where the list lies in it.
    pub offset: u32,
    /// And for the device.
    pub address: u64,
}

impl Pointers {
    /// The same pointers with addresses, for so many bytes. What was pinned is told even if it fails.
    pub fn translate(
        &self,
        bytes: u64,
        pins: &mut Pins<'_>,
        list: &List<'_, impl Real>,
        buffers: &impl Buffers,
        pool: &mut Pool,
    ) -> Result<Pointers, Reason> {
        let [first, second] = self.prp;
        // The page offset of a token is that of its address: buffers begin with a page.
        let room = PAGE - (first & (PAGE - 1));
        if first & 3 != 0 {
            return Err(Reason::Misaligned);
        }
        let first_address = pins.pin(pool, first, bytes.min(room))?;
        let rest = bytes.saturating_sub(room);
        let second_address = if rest == 0 {
            0
        } else if rest <= PAGE {
            page(pins, pool, second, rest)?
        } else {
            self.copy_list(rest, pins, list, buffers, pool)?
        };
        Ok(Pointers { prp: [first_address, second_address] })
    }

    /// Copies the list at PRP 2, all of which lies in one page.
    fn copy_list(
        &self,
        bytes: u64,
        pins: &mut Pins<'_>,
        list: &List<'_, impl Real>,
        buffers: &impl Buffers,
        pool: &mut Pool,
    ) -> Result<u64, Reason> {
        let token = self.prp[1];
        let length = bytes.div_ceil(PAGE) * 8;
        if length > u64::from(LIST_BYTES) {
            return Err(Reason::TooLong);
        }
        // Behind the end of a page the list would go on elsewhere.
        if token & 7 != 0 || (token & (PAGE - 1)) + length > PAGE {
            return Err(Reason::Misaligned);
        }
        let place = pool.locate(token, length).map_err(Reason::Token)?;
        let mut rest = bytes;
        for entry in (0..length as u32).step_by(8) {
            let pointer = buffers.read64(place.slot, place.offset + u64::from(entry));
            let address = page(pins, pool, pointer, rest.min(PAGE))?;
            list.real.write64(list.offset + entry, address);
            rest = rest.saturating_sub(PAGE);
        }
        Ok(list.address)
    }
}

/// A pointer behind the first one: a page, or as much of it as is needed.
fn page(pins: &mut Pins<'_>, pool: &mut Pool, token: u64, length: u64) -> Result<u64, Reason> {
    if token & (PAGE - 1) != 0 { Err(Reason::Misaligned) } else { pins.pin(pool, token, length) }
}
