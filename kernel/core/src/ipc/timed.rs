//! Pending operations with a deadline. They have a table of their own, so that all others know nothing of them.
//!
//! An alarm may go off while its operation is just being completed elsewhere, and the thread may have begun another one in the same slot
//! before the alarm gets to it. So these ids are never used twice: an id says which turn of its slot it means, the ticket carries it, and a
//! late alarm finds no ticket of that id.

use crate::ipc::ops::{OpId, Pending, Waiting};
use crate::task::end;
use crate::task::thread::Thread;
use crate::task::timers::{self, Alarm};
use alloc::vec::Vec;
use capos_abi::TransportError;
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Ids from here on are of this table.
pub(crate) const FIRST: u32 = 1 << 31;
/// Bits of an id that number the slot; those between are the turn.
const SLOT_BITS: u32 = 12;
/// Slots there may be: as many as the longest completion queue holds.
const SLOTS_MAX: usize = 1 << SLOT_BITS;
/// The bits of the turn.
const TURN: u32 = FIRST - 1;

struct Slot {
    /// Counts the operations that this slot had, in the bits above its number.
    turn: u32,
    pending: Option<Pending>,
    alarm: Option<Alarm>,
}

/// The operations of one thread that have a deadline.
pub(crate) struct Timed {
    slots: Vec<Slot>,
    /// Whether the operation that begins next is to be one.
    expected: bool,
    /// Which it became.
    begun: Option<OpId>,
}

impl Timed {
    /// None.
    pub const fn new() -> Self {
        Timed { slots: Vec::new(), expected: false, begun: None }
    }

    /// Whether the operation that begins now has a deadline.
    #[inline]
    pub fn is_expected(&self) -> bool {
        self.expected
    }

    /// Begins it. The first time in a slot takes memory.
    #[cold]
    pub fn begin(&mut self, pending: Pending) -> Result<OpId, TransportError> {
        let free = self.slots.iter().position(|slot| slot.pending.is_none());
        let at = match free {
            Some(at) => at,
            None => {
                // One less than there are numbers: what follows the last one must not be taken for the first.
                if self.slots.len() >= SLOTS_MAX - 1 {
                    return Err(TransportError::TooManyInFlight);
                }
                self.slots.try_reserve(1).map_err(|_| TransportError::OutOfMemory)?;
                self.slots.push(Slot { turn: 0, pending: None, alarm: None });
                self.slots.len() - 1
            }
        };
        let slot = self.slots.get_mut(at).ok_or(TransportError::TooManyInFlight)?;
        slot.turn = slot.turn.wrapping_add(1 << SLOT_BITS) & TURN;
        slot.pending = Some(pending);
        let id = OpId::timed(FIRST | slot.turn | at as u32);
        self.begun = Some(id);
        Ok(id)
    }

    /// What is pending under that id.
    #[cold]
    pub fn get(&self, id: OpId) -> Option<&Pending> {
        let slot = self.slots.get(number(id)?)?;
        slot.pending.as_ref().filter(|_| slot.turn == turn(id))
    }

    /// Where its ticket lies now.
    #[cold]
    pub fn moved(&mut self, id: OpId, waiting: Waiting) {
        if let Some(pending) = self.slot(id).and_then(|slot| slot.pending.as_mut()) {
            pending.waiting = waiting;
        }
    }

    /// Ends it, and the alarm with it.
    #[cold]
    pub fn end(&mut self, id: OpId) -> Option<Waiting> {
        let slot = self.slot(id)?;
        let ended = slot.pending.take();
        if let Some(alarm) = slot.alarm.take() {
            timers::disarm(alarm);
        }
        ended.map(|pending| pending.waiting)
    }

    /// The first one from that id on, in the order of their slots, that is `wanted`.
    pub fn search(&self, from: u32, wanted: impl Fn(&Pending) -> bool) -> Option<(OpId, Waiting)> {
        let first = if from < FIRST { 0 } else { from as usize % SLOTS_MAX };
        (0u32..).zip(&self.slots).skip(first).find_map(|(at, slot)| {
            let pending = slot.pending.as_ref().filter(|pending| wanted(pending))?;
            Some((OpId::timed(FIRST | slot.turn | at), pending.waiting.clone()))
        })
    }

    /// The place where a pending call waits that `find` knows.
    pub fn find_map<T>(&self, find: impl Fn(&Waiting) -> Option<T>) -> Option<T> {
        self.slots.iter().find_map(|slot| find(&slot.pending.as_ref()?.waiting))
    }

    fn slot(&mut self, id: OpId) -> Option<&mut Slot> {
        self.slots.get_mut(number(id)?).filter(|slot| slot.turn == turn(id))
    }
}

fn number(id: OpId) -> Option<usize> {
    (id.number() >= FIRST).then_some(id.number() as usize % SLOTS_MAX)
}

fn turn(id: OpId) -> u32 {
    id.number() & TURN & !(SLOTS_MAX as u32 - 1)
}

/// Has `begin` begin an operation of the current thread, and ends it with `timedOut` if it still pends at `at_ns`. Whether that has come
/// already is looked at last: what can be done at once is done.
pub(crate) fn with_deadline<T>(thread: &Ref<Thread>, at_ns: u64, begin: impl FnOnce() -> T) -> T {
    {
        let mut state = thread.state.lock();
        (state.ops.timed.expected, state.ops.timed.begun) = (true, None);
    }
    let begun = begin();
    let id = {
        let mut state = thread.state.lock();
        state.ops.timed.expected = false;
        state.ops.timed.begun.take()
    };
    if let Some(id) = id {
        set(thread, id, at_ns);
    }
    begun
}

fn set(thread: &Ref<Thread>, id: OpId, at_ns: u64) {
    if at_ns <= time::now_ns() {
        expire(thread, id, TransportError::TimedOut);
        return;
    }
    // Under the lock: who completes the operation meanwhile either finds the alarm or leaves nothing to set it for.
    let mut state = thread.state.lock();
    let Some(slot) = state.ops.timed.slot(id).filter(|slot| slot.pending.is_some()) else { return };
    match timers::arm_deadline(thread, id, at_ns) {
        Ok(alarm) => slot.alarm = Some(alarm),
        Err(_) => {
            drop(state);
            expire(thread, id, TransportError::OutOfMemory);
        }
    }
}

/// The time of an operation is over. Nothing happens when somebody is completing it already. How many members the list has that was looked
/// through for it.
pub(crate) fn expire(thread: &Ref<Thread>, id: OpId, error: TransportError) -> usize {
    let waiting = thread.state.lock().ops.timed.get(id).map(|pending| pending.waiting.clone());
    let Some(waiting) = waiting else { return 0 };
    let members = end::members(thread, &waiting);
    if let Some(ticket) = end::take_ticket(thread, id, waiting) {
        ticket.fail(error);
    }
    members
}
