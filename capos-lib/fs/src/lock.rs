//! A lock for tasks of one thread: many may look, or one may change. Whoever came first is served first, so nobody waits for ever.

use alloc::collections::VecDeque;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

/// Who waits, in order.
struct Waiting {
    ticket: u64,
    alone: bool,
    waker: Waker,
}

/// The lock. What it protects is beside it.
#[derive(Default)]
pub(crate) struct Lock {
    /// How many look; `usize::MAX` when one changes.
    users: Cell<usize>,
    tickets: Cell<u64>,
    waiting: RefCell<VecDeque<Waiting>>,
}

const ALONE: usize = usize::MAX;

/// A right to look or to change, until it is dropped.
#[must_use = "the lock is given back at once"]
pub(crate) struct Guard<'a> {
    lock: &'a Lock,
}

/// A place among those who wait, which is given up when the task is.
struct Place<'a> {
    lock: &'a Lock,
    ticket: Option<u64>,
}

impl Lock {
    /// Waits until nobody changes.
    pub(crate) async fn look(&self) -> Guard<'_> {
        self.enter(false).await
    }

    /// If nobody changes, and nobody waits to.
    pub(crate) fn try_look(&self) -> Option<Guard<'_>> {
        let is_free = self.waiting.borrow().is_empty() && self.take(false);
        is_free.then(|| Guard { lock: self })
    }

    /// Waits until nobody else is there.
    pub(crate) async fn change(&self) -> Guard<'_> {
        self.enter(true).await
    }

    async fn enter(&self, alone: bool) -> Guard<'_> {
        if self.waiting.borrow().is_empty() && self.take(alone) {
            return Guard { lock: self };
        }
        let mut place = Place { lock: self, ticket: None };
        poll_fn(|context| place.poll(alone, context)).await;
        Guard { lock: self }
    }

    fn take(&self, alone: bool) -> bool {
        let users = self.users.get();
        let free = if alone { users == 0 } else { users != ALONE };
        if free {
            self.users.set(if alone { ALONE } else { users.saturating_add(1) });
        }
        free
    }

    fn is_first(&self, ticket: u64) -> bool {
        self.waiting.borrow().front().is_some_and(|first| first.ticket == ticket)
    }

    /// Wakes who is first, if they can enter.
    fn wake(&self) {
        let waiting = self.waiting.borrow();
        let Some(first) = waiting.front() else { return };
        let users = self.users.get();
        if users == 0 || (!first.alone && users != ALONE) {
            first.waker.wake_by_ref();
        }
    }
}

impl Place<'_> {
    fn poll(&mut self, alone: bool, context: &Context<'_>) -> Poll<()> {
        let Some(ticket) = self.ticket else {
            let ticket = self.lock.tickets.get();
            self.lock.tickets.set(ticket.wrapping_add(1));
            self.ticket = Some(ticket);
            let waker = context.waker().clone();
            self.lock.waiting.borrow_mut().push_back(Waiting { ticket, alone, waker });
            return Poll::Pending;
        };
        if self.lock.is_first(ticket) && self.lock.take(alone) {
            return Poll::Ready(());
        }
        let mut waiting = self.lock.waiting.borrow_mut();
        if let Some(waiting) = waiting.iter_mut().find(|waiting| waiting.ticket == ticket) {
            waiting.waker.clone_from(context.waker());
        }
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        self.lock.waiting.borrow_mut().retain(|waiting| waiting.ticket != ticket);
        // The next may be able to enter, too.
        self.lock.wake();
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let users = self.lock.users.get();
        self.lock.users.set(if users == ALONE { 0 } else { users.saturating_sub(1) });
        self.lock.wake();
    }
}
