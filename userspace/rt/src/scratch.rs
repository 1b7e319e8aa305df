//! Fixed places in the arena for what a thread does one at a time.
//!
//! A blocking call is over before the next one begins, so its request, reply and capabilities always lie at the same offsets:
//! nothing to allocate on the shortest path. Asynchronous calls encode here too and move the bytes to a place of the right size.

use capos_abi::{MAX_CAPS, MAX_MESSAGE};
use capos_arena::{ArenaMap, Run};
use core::cell::Cell;

/// Room for the message of an emergency call (heap growth), and as much for its answer.
pub(crate) const EMERGENCY_LEN: u32 = 64;

/// Offsets of the fixed places.
pub(crate) struct Scratch {
    pub(crate) request: u32,
    pub(crate) reply: u32,
    pub(crate) caps: u32,
    pub(crate) emergency: u32,
    busy: Cell<bool>,
}

impl Scratch {
    /// Takes the places out of a fresh map. An arena too small for them yields places of length zero: see [`Scratch::claim`].
    pub(crate) fn new(map: &mut ArenaMap) -> Scratch {
        let emergency = offset(map.take(2 * EMERGENCY_LEN));
        let caps = offset(map.take((MAX_CAPS * 8) as u32));
        let request = offset(map.take(MAX_MESSAGE as u32));
        let reply = offset(map.take(MAX_MESSAGE as u32));
        let usable = emergency.is_some() && caps.is_some() && request.is_some() && reply.is_some();
        Scratch {
            request: request.unwrap_or(0),
            reply: reply.unwrap_or(0),
            caps: caps.unwrap_or(0),
            emergency: emergency.unwrap_or(0),
            busy: Cell::new(!usable),
        }
    }

    /// Claims the places for one blocking call; false while somebody still reads an answer there.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        !self.busy.replace(true)
    }

    /// Gives them back.
    #[inline]
    pub(crate) fn release(&self) {
        self.busy.set(false);
    }
}

/// The run is never given back, so only its place matters.
fn offset(run: Option<Run>) -> Option<u32> {
    run.map(|run| run.offset())
}
