//! The calls of one endpoint, from their coming to their answer: those that wait in the queue and those that somebody has received.

use crate::ipc::ops::{OpId, Ticket};
use crate::task::thread::Thread;
use crate::task::{schedule, slice};
use alloc::vec::Vec;
use capos_sched::Priority;
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

    const fn new(slot: u32, generation: u32) -> Self {
        Token(slot as u64 | (generation as u64) << 32)
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
    /// The thread that has received it; `None` while nobody has.
    server: Option<Ref<Thread>>,
    /// What that thread was lent for it.
    loan: Option<Priority>,
}

impl Arrived {
    /// The thread that has received it.
    #[inline(always)]
    pub fn server(&self) -> Option<&Ref<Thread>> {
        self.server.as_ref()
    }

    /// Who called, and who has received it. Nothing was lent for it.
    #[inline(always)]
    pub fn sides(self) -> (Ticket, Option<Ref<Thread>>) {
        (self.caller, self.server)
    }

    /// It is over: the loan goes back. Outside of any lock.
    #[inline]
    pub fn settle(self) -> Ticket {
        if let (Some(server), Some(loan)) = (&self.server, self.loan) {
            server.state.lock().give_back(server, loan);
            schedule::ask_for_rotation();
        }
        self.caller
    }
}

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

pub(crate) struct Slot {
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
pub(crate) struct Vacancy<'c> {
    slot: &'c mut Slot,
    at: u32,
    first_free: &'c mut u32,
}

impl Vacancy<'_> {
    /// The token that a call put there will have.
    #[inline(always)]
    pub fn token(&self) -> Token {
        Token::new(self.at, self.slot.generation)
    }

    /// Notes a call that `server` has received, and what it was lent for it.
    #[inline(always)]
    pub fn put_received(self, caller: Ticket, badge: u64, server: Ref<Thread>, loan: Option<Priority>) {
        self.fill(Arrived { caller, badge, server: Some(server), loan });
    }

    #[inline(always)]
    fn fill(self, call: Arrived) {
        *self.first_free = self.slot.next;
        self.slot.next = NONE;
        // A free slot holds nothing that would have to be dropped, and the compiler does not know it.
        core::mem::forget(self.slot.call.replace(call));
    }
}

/// A received call.
pub(crate) struct Received<'c> {
    slot: &'c mut Slot,
    at: u32,
    first_free: &'c mut u32,
}

impl Received<'_> {
    /// Who waits for its answer.
    #[inline(always)]
    pub fn caller(&self) -> Option<&Ticket> {
        self.slot.call.as_ref().map(|call| &call.caller)
    }

    /// What the thread that has received it was lent for it.
    #[inline(always)]
    pub fn loan(&self) -> Option<Priority> {
        self.slot.call.as_ref()?.loan
    }

    #[inline(always)]
    fn is_by(&self, server: &Ref<Thread>) -> bool {
        let by = self.slot.call.as_ref().and_then(Arrived::server);
        by.is_some_and(|by| Ref::ptr_eq(by, server))
    }

    /// Takes it out; its token becomes stale.
    #[inline(always)]
    pub fn take(self) -> Option<Arrived> {
        self.slot.generation = self.slot.generation.wrapping_add(1);
        self.slot.next = core::mem::replace(self.first_free, self.at);
        self.slot.call.take()
    }
}

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
    #[inline(always)]
    pub fn vacancy(&mut self) -> Option<Vacancy<'_>> {
        let at = self.first_free;
        let slot = self.slots.get_mut(at as usize)?;
        Some(Vacancy { slot, at, first_free: &mut self.first_free })
    }

    /// Whether none waits to be received.
    #[inline]
    pub fn none_waits(&self) -> bool {
        self.first == NONE
    }

    /// Puts a call behind all others of its caller's priority.
    pub fn push(&mut self, caller: Ticket, badge: u64) {
        let priority = caller.thread.priority();
        let previous = self.last_not_below(priority);
        let Some(vacancy) = self.vacancy() else { return };
        let slot = vacancy.at;
        vacancy.fill(Arrived { caller, badge, server: None, loan: None });
        let next = match self.slots.get_mut(previous as usize) {
            Some(previous) => core::mem::replace(&mut previous.next, slot),
            None => core::mem::replace(&mut self.first, slot),
        };
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.next = next;
        }
        if next == NONE {
            self.last = slot;
        }
    }

    /// The last call in the queue whose caller's priority is not below `priority`.
    fn last_not_below(&self, priority: Priority) -> u32 {
        let not_below = |at: u32| {
            let call = self.slots.get(at as usize).and_then(|slot| slot.call.as_ref());
            call.is_some_and(|call| call.caller.thread.priority() >= priority)
        };
        // Most have the same priority.
        if not_below(self.last) {
            return self.last;
        }
        let (mut previous, mut here) = (NONE, self.first);
        while not_below(here) {
            previous = here;
            here = self.slots.get(here as usize).map_or(NONE, |slot| slot.next);
        }
        previous
    }

    /// The next received call from slot `from` on whose server runs below `priority`: its slot, server and loan, which is `priority` from
    /// now on.
    pub fn lend_next(
        &mut self,
        from: u32,
        priority: Priority,
    ) -> Option<(u32, Ref<Thread>, Option<Priority>)> {
        (0..).zip(&mut self.slots).skip(from as usize).find_map(|(at, slot)| {
            let call = slot.call.as_mut()?;
            let server = call.server.as_ref().filter(|server| server.priority() < priority)?.clone();
            Some((at, server, call.loan.replace(priority)))
        })
    }

    /// The call that is to be received next.
    #[inline]
    pub fn first(&self) -> Option<&Arrived> {
        self.slots.get(self.first as usize)?.call.as_ref()
    }

    /// `server` has received the first call, and was lent that for it; from now on the call goes by its token.
    #[inline]
    pub fn receive_first(&mut self, server: Ref<Thread>, loan: Option<Priority>) -> Option<Token> {
        let at = self.first;
        let slot = self.slots.get_mut(at as usize)?;
        let call = slot.call.as_mut()?;
        (call.server, call.loan) = (Some(server), loan);
        self.first = slot.next;
        if self.first == NONE {
            self.last = NONE;
        }
        Some(Token::new(at, slot.generation))
    }

    /// Takes the first call out.
    pub fn pop_first(&mut self) -> Option<Arrived> {
        let at = self.first;
        self.take(at)
    }

    /// The received call of that token.
    #[inline(always)]
    pub fn received(&mut self, token: Token) -> Option<Received<'_>> {
        let at = token.slot();
        let slot = self.slots.get_mut(at as usize)?;
        let known = slot.generation == token.generation() && slot.call.as_ref()?.server.is_some();
        if known { Some(Received { slot, at, first_free: &mut self.first_free }) } else { None }
    }

    /// The same if `server` has received it.
    #[inline(always)]
    pub fn received_by(&mut self, server: &Ref<Thread>, token: Token) -> Option<Received<'_>> {
        self.received(token).filter(|received| received.is_by(server))
    }

    /// Takes a call out wherever it is: its caller cancels it.
    pub fn withdraw(&mut self, thread: &Ref<Thread>, id: OpId) -> Option<Arrived> {
        let at = self.find(|call| call.caller.is(thread, id))?;
        self.take(at)
    }

    /// Takes out the first call in slot `from` or behind it that is `wanted`, and moves `from` behind it. For ending many of them, so
    /// that none is looked at twice.
    pub fn pop_from(&mut self, from: &mut u32, wanted: impl Fn(&Arrived) -> bool) -> Option<Arrived> {
        let (at, _) = self.at_or_after_if(*from, wanted)?;
        *from = at + 1;
        self.take(at)
    }

    /// Who has received the call that is the only operation of `caller`, if that is among as many slots as may be looked at.
    pub fn server_of(&self, caller: &Ref<Thread>, looks: &mut u32) -> Option<&Ref<Thread>> {
        let mut slots = self.slots.iter().take_while(|_| slice::take(looks));
        let call =
            slots.find_map(|slot| slot.call.as_ref().filter(|call| call.caller.is(caller, OpId::SOLE)))?;
        call.server()
    }

    /// Whether that call is here, queued or received.
    pub fn holds(&self, thread: &Ref<Thread>, id: OpId) -> bool {
        self.find(|call| call.caller.is(thread, id)).is_some()
    }

    /// The first call in slot `from` or behind it, and its slot. For walks that let go of the endpoint from step to step.
    pub fn at_or_after(&self, from: u32) -> Option<(u32, &Arrived)> {
        self.at_or_after_if(from, |_| true)
    }

    fn at_or_after_if(&self, from: u32, wanted: impl Fn(&Arrived) -> bool) -> Option<(u32, &Arrived)> {
        let mut slots = (from..).zip(self.slots.get(from as usize..)?);
        slots.find_map(|(at, slot)| Some((at, slot.call.as_ref().filter(|call| wanted(call))?)))
    }

    /// Whether the queue leads through every call that nobody has received and nothing else, and all other slots are free or received.
    pub fn is_linked(&self) -> bool {
        let waits = |slot: &Slot| slot.call.as_ref().is_some_and(|call| call.server.is_none());
        let (mut at, mut last, mut queued) = (self.first, NONE, 0);
        while let Some(slot) = self.slots.get(at as usize).filter(|slot| waits(slot)) {
            (last, at, queued) = (at, slot.next, queued + 1);
            // A circle.
            if queued > self.slots.len() {
                return false;
            }
        }
        let (mut spare, mut free) = (self.first_free, 0);
        while let Some(slot) = self.slots.get(spare as usize).filter(|slot| slot.call.is_none()) {
            (spare, free) = (slot.next, free + 1);
            if free > self.slots.len() {
                return false;
            }
        }
        let count = |wanted: &dyn Fn(&Slot) -> bool| self.slots.iter().filter(|slot| wanted(slot)).count();
        (at, spare, last) == (NONE, NONE, self.last)
            && queued == count(&waits)
            && free == count(&|slot| slot.call.is_none())
    }

    fn find(&self, wanted: impl Fn(&Arrived) -> bool) -> Option<u32> {
        self.at_or_after_if(0, wanted).map(|(at, _)| at)
    }

    fn take(&mut self, at: u32) -> Option<Arrived> {
        let call = self.slots.get(at as usize)?.call.as_ref();
        if call.is_some_and(|call| call.server.is_none()) {
            self.unlink(at);
        }
        self.vacate(at)
    }

    /// Frees a slot that is not in the queue.
    fn vacate(&mut self, at: u32) -> Option<Arrived> {
        let slot = self.slots.get_mut(at as usize)?;
        Received { slot, at, first_free: &mut self.first_free }.take()
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
