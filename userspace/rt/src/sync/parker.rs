//! How a thread sleeps until another wakes it: with a permit that is kept if it comes first.

#[cfg(all(test, loom))]
pub(super) use model::{Handle, park};
#[cfg(not(all(test, loom)))]
pub(super) use ring::{Handle, park};

#[cfg(not(all(test, loom)))]
mod ring {
    use crate::blocking::wait_for;
    use crate::thread::{self, BLOCKING};
    use capos_abi::{Op, Sqe};

    /// The permit that locks use; the others are the program's.
    const PERMIT: u64 = 1;

    /// Names a thread of this process.
    #[derive(Clone)]
    pub(in super::super) struct Handle(u64);

    impl Handle {
        /// The calling thread's.
        pub fn current() -> Handle {
            Handle(thread::current().ring.thread_id())
        }

        /// Gives it a permit.
        pub fn unpark(&self) {
            let thread = thread::current();
            thread.submit_ignored(&Sqe {
                op: Op::Unpark as u8,
                cap: self.0,
                interface: PERMIT,
                ..Sqe::default()
            });
            // It sleeps until the kernel has seen this.
            thread.enter(0, 0);
        }
    }

    /// Sleeps until there is a permit, and takes it. May also return without one: look at what you wait for.
    pub(in super::super) fn park() {
        let thread = thread::current();
        thread.submit(&Sqe { op: Op::Park as u8, cap: PERMIT, user_data: BLOCKING, ..Sqe::default() });
        wait_for(thread, BLOCKING);
    }
}

#[cfg(all(test, loom))]
mod model {
    /// A model's thread.
    #[derive(Clone)]
    pub(in super::super) struct Handle(loom::thread::Thread);

    impl Handle {
        pub fn current() -> Handle {
            Handle(loom::thread::current())
        }

        pub fn unpark(&self) {
            self.0.unpark();
        }
    }

    pub(in super::super) fn park() {
        loom::thread::park();
    }
}
