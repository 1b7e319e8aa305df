//! Who waits for something.

use alloc::vec::Vec;
use core::task::Waker;

/// Those who do. smoltcp remembers only one of a socket.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    /// Is woken, once.
    #[inline]
    pub fn wait(&mut self, waker: &Waker) {
        if !self.0.iter().any(|other| other.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    /// Wakes all of them: some may not wait any more.
    #[inline]
    pub fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}
