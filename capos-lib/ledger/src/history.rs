//! What happened to devices: the last so many events, read with cursors by whoever may. A reader that comes late learns how many it missed.

use capos_schema::hardware_audit_log::HardwareEvent;

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When, in nanoseconds since boot.
    pub at_ns: u64,
    /// Which function: bus << 8 | device << 3 | function.
    pub function: u32,
    /// What happened.
    pub event: HardwareEvent,
    /// Which generation of the function it happened to.
    pub generation: u32,
    /// What more there is to say: the id of who claimed it, the offset of a register, the number of a descriptor, a token.
    pub detail: u64,
}

/// What a reader gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// The entry.
    pub entry: Entry,
    /// The cursor for the one after it.
    pub next: u64,
    /// How many there were between the cursor and this one.
    pub lost: u64,
}

const NOTHING: Entry =
    Entry { at_ns: 0, function: 0, event: HardwareEvent::Claimed, generation: 0, detail: 0 };

/// The last `ROOM` events.
pub struct History<const ROOM: usize> {
    entries: [Entry; ROOM],
    /// How many there ever were.
    written: u64,
}

impl<const ROOM: usize> Default for History<ROOM> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ROOM: usize> History<ROOM> {
    /// None yet.
    pub const fn new() -> Self {
        History { entries: [NOTHING; ROOM], written: 0 }
    }

    /// One more. The oldest goes when there is no room.
    pub fn add(&mut self, entry: Entry) {
        if let Some(place) = self.entries.get_mut((self.written % ROOM as u64) as usize) {
            *place = entry;
            self.written += 1;
        }
    }

    /// How many there ever were: the cursor of who wants those that are to come.
    pub fn end(&self) -> u64 {
        self.written
    }

    /// The first entry at or after `cursor`, which begins with 0. `None` when there is none yet.
    pub fn read(&self, cursor: u64) -> Option<Read> {
        let oldest = self.written.saturating_sub(ROOM as u64);
        let at = cursor.max(oldest);
        let entry = *self.entries.get((at % ROOM as u64) as usize).filter(|_| at < self.written)?;
        Some(Read { entry, next: at + 1, lost: at - cursor })
    }
}
