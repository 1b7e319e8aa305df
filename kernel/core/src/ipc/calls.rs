//! The calls of one endpoint, from their coming to their answer: those that wait in the queue and those that somebody has received.

use crate::ipc::ops::{OpId, Ticket};
use crate::task::thread::Thread;
use alloc::vec::Vec;
use kernel_hal::sync::{OutOfMemory, Ref};

/// Names a received call: slot and generation. Means something only together with the right to receive at its endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token(u64);

impl Token {
    /// From a submission.
    pub const fn from_raw(raw: u64) -> Self {
        Token(raw)
    }

    /// For a completion.
    pub const fn raw(self) -> u64 {
        self.0
    }

    const fn slot(self) -> u32 {
        self.0 as u32
    }

    const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A call at its endpoint.
pub(crate) struct Arrived {
    pub caller: Ticket,
    /// What the server called the facet.
    pub badge: u64,
    /// Id of the process that has received it; 0 while nobody has.
    receiver: u64,
}

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

struct Slot {
    generation: u32,
    /// The next in the queue, or the next free slot.
    next: u32,
    call: Option<Arrived>,
}

/// The calls. Made with room for all that the endpoint's depth allows, so that nothing here allocates later.
pub(crate) struct Calls {
    slots: Vec<Slot>,
    first_free: u32,
    first: u32,
    last: u32,
}

/// A free slot, not taken yet.
#[derive(Clone, Copy)]
pub(crate) struct Vacancy(u32);

impl Calls {
    /// Room for none.
    pub const fn empty() -> Self {
        Calls { slots: Vec::new(), first_free: NONE, first: NONE, last: NONE }
    }

    /// Room for `depth` calls.
    pub fn new(depth: u32) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(depth as usize).map_err(|_| OutOfMemory)?;
        let next = |slot: u32| if slot + 1 < depth { slot + 1 } else { NONE };
        slots.extend((0..depth).map(|slot| Slot { generation: 1, next: next(slot), call: None }));
        Ok(Calls { slots, first_free: if depth > 0 { 0 } else { NONE }, first: NONE, last: NONE })
    }

    /// Where the next call goes, if there is room for one.
    #[inline]
    pub fn vacancy(&self) -> Option<Vacancy> {
        if self.first_free == NONE { None } else { Some(Vacancy(self.first_free)) }
    }

    /// The token that a call put there will have.
    #[inline(always)]
    pub fn token(&self, at: Vacancy) -> Token {
        let generation = self.slots.get(at.0 as usize).map_or(0, |slot| slot.generation);
        Token(u64::from(at.0) | u64::from(generation) << 32)
    }

    /// Notes a call that process number `receiver` has received.
    #[inline(always)]
    pub fn put_received(&mut self, caller: Ticket, badge: u64, receiver: u64) {
        self.fill(Arrived { caller, badge, receiver });
    }

    /// Puts a call behind all others.
    #[inline]
    pub fn push(&mut self, caller: Ticket, badge: u64) {
        let Some(slot) = self.fill(Arrived { caller, badge, receiver: 0 }) else { return };
        match self.slots.get_mut(self.last as usize) {
            Some(last) => last.next = slot,
            None => self.first = slot,
        }
        self.last = slot;
    }

    #[inline(always)]
    fn fill(&mut self, call: Arrived) -> Option<u32> {
        let at = self.first_free;
        let slot = self.slots.get_mut(at as usize)?;
        self.first_free = slot.next;
        slot.next = NONE;
        slot.call = Some(call);
        Some(at)
    }

    /// The call that is to be received next.
    #[inline]
    pub fn first(&self) -> Option<&Arrived> {
        self.slots.get(self.first as usize)?.call.as_ref()
    }

    /// Process number `receiver` has received the first call; from now on it goes by its token.
    #[inline]
    pub fn receive_first(&mut self, receiver: u64) -> Option<Token> {
        let at = self.first;
        let slot = self.slots.get_mut(at as usize)?;
        slot.call.as_mut()?.receiver = receiver;
        self.first = slot.next;
        if self.first == NONE {
            self.last = NONE;
        }
        Some(Token(u64::from(at) | u64::from(slot.generation) << 32))
    }

    /// Takes the first call out.
    pub fn pop_first(&mut self) -> Option<Arrived> {
        let token = self.receive_first(1)?;
        self.vacate(token.slot())
    }

    /// The received call of that token.
    #[inline(always)]
    pub fn received(&self, token: Token) -> Option<&Arrived> {
        let slot = self.slots.get(token.slot() as usize)?;
        if slot.generation == token.generation() {
            slot.call.as_ref().filter(|call| call.receiver != 0)
        } else {
            None
        }
    }

    /// Takes a call that [`Calls::received`] found out; its token becomes stale.
    #[inline(always)]
    pub fn remove(&mut self, token: Token) -> Option<Arrived> {
        self.vacate(token.slot())
    }

    /// Takes a call out wherever it is: its caller cancels it.
    pub fn withdraw(&mut self, thread: &Ref<Thread>, id: OpId) -> Option<Arrived> {
        let at = self.find(|call| call.caller.is(thread, id))?;
        self.take(at)
    }

    /// Takes out some call that process number `receiver` has received.
    pub fn pop_received_by(&mut self, receiver: u64) -> Option<Arrived> {
        let at = self.find(|call| call.receiver == receiver)?;
        self.take(at)
    }

    /// Takes out any call.
    pub fn pop_any(&mut self) -> Option<Arrived> {
        let at = self.find(|_| true)?;
        self.take(at)
    }

    fn find(&self, wanted: impl Fn(&Arrived) -> bool) -> Option<u32> {
        (0..)
            .zip(&self.slots)
            .find_map(|(at, slot)| slot.call.as_ref().filter(|call| wanted(call)).map(|_| at))
    }

    fn take(&mut self, at: u32) -> Option<Arrived> {
        self.unlink(at);
        self.vacate(at)
    }

    /// Frees a slot that is not in the queue.
    #[inline(always)]
    fn vacate(&mut self, at: u32) -> Option<Arrived> {
        let slot = self.slots.get_mut(at as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = self.first_free;
        self.first_free = at;
        slot.call.take()
    }

    /// Takes a slot out of the queue, if it is there.
    fn unlink(&mut self, at: u32) {
        let next = self.slots.get(at as usize).map_or(NONE, |slot| slot.next);
        let (mut previous, mut here) = (NONE, self.first);
        while here != NONE && here != at {
            previous = here;
            here = self.slots.get(here as usize).map_or(NONE, |slot| slot.next);
        }
        if here == NONE {
            return;
        }
        match self.slots.get_mut(previous as usize) {
            Some(slot) => slot.next = next,
            None => self.first = next,
        }
        if self.last == at {
            self.last = previous;
        }
    }
}
