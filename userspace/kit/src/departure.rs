//! The moment at which a client leaves.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Whether a client has left, and which calls want to know.
///
/// Many calls wait here one after the other as long as their client lives, and nobody is woken before it leaves. So a call takes
/// its waker away when it is over, or a server would run out of memory after some ten thousand calls.
#[derive(Default)]
pub(crate) struct Departure {
    happened: Cell<bool>,
    waiting: RefCell<BTreeMap<u64, Waker>>,
    /// Number of the next wait.
    next: Cell<u64>,
}

impl Departure {
    /// The client has left.
    pub(crate) fn happen(&self) {
        self.happened.set(true);
        for waker in self.waiting.take().into_values() {
            waker.wake();
        }
    }

    /// Completes when the client has left.
    pub(crate) fn wait(&self) -> Wait<'_> {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        Wait { departure: self, number }
    }
}

/// A call that wants to know.
pub(crate) struct Wait<'a> {
    departure: &'a Departure,
    number: u64,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.departure.happened.get() {
            return Poll::Ready(());
        }
        self.departure.waiting.borrow_mut().insert(self.number, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.departure.waiting.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::Departure;
    use core::pin::pin;
    use core::task::{Context, Waker};

    #[test]
    fn calls_that_are_over_leave_nothing_behind() {
        let departure = Departure::default();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..1000 {
            let mut wait = pin!(departure.wait());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            assert_eq!(departure.waiting.borrow().len(), 1);
        }
        assert!(departure.waiting.borrow().is_empty());
    }

    #[test]
    fn leaving_ends_the_wait_before_and_after() {
        let departure = Departure::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut early = pin!(departure.wait());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        departure.happen();
        assert!(early.poll(&mut cx).is_ready());
        assert!(pin!(departure.wait()).poll(&mut cx).is_ready());
    }
}
