//! What each thread has for itself: its ring, its part of the arena, its operations in flight, its tasks.
//!
//! The FS base points at the [`Thread`], whose first word is its own address, so [`current`] is one load. Nothing here is
//! shared between threads, hence cells instead of locks. A `Thread` is made once and lives as long as its thread.

use crate::exec::Tasks;
use crate::op::Operations;
use crate::scratch::Scratch;
use crate::sys;
use alloc::vec::Vec;
use capos_abi::{CapId, Cqe, Op, RingShape, Sqe};
use capos_arena::{ArenaMap, Run};
use capos_ring::{QueueFull, UserRing, Vacancy};
use core::cell::{Cell, RefCell};
use core::ptr::NonNull;

/// `user_data` of operations whose completion nobody waits for.
pub(crate) const IGNORED: u64 = u64::MAX;
/// `user_data` of the one blocking call that a thread can have in flight.
pub(crate) const BLOCKING: u64 = u64::MAX - 1;
/// `user_data` of a blocking server's receive.
pub(crate) const RECEIVE: u64 = u64::MAX - 2;
/// `user_data` of calls that must not disturb anything: heap growth, last words.
pub(crate) const EMERGENCY: u64 = u64::MAX - 3;
/// `user_data` of the one wait in which a thread can sleep: see [`crate::op::Plain::sleep`].
pub(crate) const RESTING: u64 = u64::MAX - 4;

/// One thread's own things.
#[repr(C)]
pub(crate) struct Thread {
    this: *const Thread,
    pub(crate) ring: UserRing,
    pub(crate) scratch: Scratch,
    /// Submissions queued since the last enter that complete at once: so many completions mean nothing happened yet.
    immediate: Cell<u32>,
    arena: RefCell<ArenaMap>,
    /// Runs whose content a queued submission still needs; free after the next enter.
    deferred: RefCell<Vec<Run>>,
    has_deferred: Cell<bool>,
    /// See [`Thread::keep_receive_buffer`].
    kept: Cell<Option<Run>>,
    pub(crate) operations: RefCell<Operations>,
    /// Operations submitted now end at that time at the latest; 0 for no end. See [`crate::exec::with_deadline`].
    pub(crate) deadline: Cell<u64>,
    pub(crate) tasks: Tasks,
}

impl Thread {
    /// A thread whose ring block lies at `block`; the first `reserved` bytes of its arena (the startup block) stay untouched.
    ///
    /// # Safety
    /// `block` is the calling thread's (or a not yet started thread's) ring block of that shape, and nobody else uses it.
    pub(crate) unsafe fn new(block: NonNull<u8>, shape: RingShape, reserved: usize) -> Thread {
        let mut map = ArenaMap::empty();
        map.add(reserved as u32, shape.arena_len() as u32);
        let scratch = Scratch::new(&mut map);
        Thread {
            this: core::ptr::null(),
            // SAFETY: passed on to our caller.
            ring: unsafe { UserRing::new(block, shape) },
            scratch,
            immediate: Cell::new(0),
            arena: RefCell::new(map),
            deferred: RefCell::new(Vec::new()),
            has_deferred: Cell::new(false),
            kept: Cell::new(None),
            operations: RefCell::new(Operations::new()),
            deadline: Cell::new(0),
            tasks: Tasks::new(),
        }
    }

    /// Fills the self pointer in once the thing lies where it stays, and gives the FS base that makes it current.
    pub(crate) fn settle(&mut self) -> u64 {
        self.this = self;
        self.this as u64
    }

    /// Whether it has no task and nothing in flight: then nobody refers to it but its own code.
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.operations.borrow().in_flight() == 0
    }

    /// Queues a submission, handing the queue to the kernel first when it is full.
    #[inline]
    pub(crate) fn submit(&self, sqe: &Sqe) {
        self.ring.vacancy().unwrap_or_else(|QueueFull| self.make_room()).fill(sqe);
    }

    #[cold]
    #[inline(never)]
    fn make_room(&self) -> Vacancy<'_> {
        loop {
            self.enter(0, 0);
            self.drain();
            if let Ok(vacancy) = self.ring.vacancy() {
                return vacancy;
            }
        }
    }

    /// Queues a submission that completes at once and whose completion nobody waits for.
    #[inline]
    pub(crate) fn submit_ignored(&self, sqe: &Sqe) {
        self.submit(&Sqe { user_data: IGNORED, ..*sqe });
        self.immediate.set(self.immediate.get() + 1);
    }

    /// Lets a receive travel with the answer that was queued last, if there is one and the kernel has not taken it yet: they cost one
    /// submission instead of two, and one completion.
    #[inline]
    pub(crate) fn receive_with_answer(&self, receive: &Sqe) -> bool {
        let joined = self.ring.join_receive(receive);
        if joined {
            self.immediate.set(self.immediate.get() - 1);
        }
        joined
    }

    /// Queues the release of a capability.
    pub(crate) fn release(&self, id: CapId) {
        self.submit_ignored(&Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() });
    }

    /// Hands the queue over and waits until something other than the ignored completions is there.
    #[inline]
    pub(crate) fn wait(&self) {
        self.enter(1, sys::FOREVER);
    }

    /// Hands the queue over; waits for `wanted` completions beyond those that come at once anyway.
    #[inline]
    pub(crate) fn enter(&self, wanted: u32, timeout_ns: u64) {
        let expected = if wanted == 0 { 0 } else { u64::from(wanted + self.immediate.get()) };
        sys::cap_enter(expected, timeout_ns);
        // Counting too few only costs a turn of the caller's loop, counting too many would wait for nothing.
        self.immediate.set(0);
        if self.has_deferred.get() && self.ring.submitted() == 0 {
            self.free_deferred();
        }
    }

    /// Hands the queue over, if there is anything in it.
    pub(crate) fn hand_over(&self) {
        if self.ring.submitted() > 0 {
            self.enter(0, 0);
        }
    }

    /// Somebody entered behind our back: what was queued has its completions already.
    pub(crate) fn forget_immediate(&self) {
        self.immediate.set(0);
    }

    /// Takes every waiting completion and tells whoever waits for it. For places that wait for no completion of their own.
    pub(crate) fn drain(&self) {
        while let Some(cqe) = self.ring.pop() {
            self.complete(cqe);
        }
    }

    /// Tells the owner of an asynchronous operation.
    #[inline]
    pub(crate) fn complete(&self, cqe: Cqe) {
        if cqe.user_data != IGNORED {
            let abandoned = self.operations.borrow_mut().complete(cqe);
            if let Some(abandoned) = abandoned {
                abandoned.clean_up(self);
            }
        }
    }

    /// Takes arena memory, or `None` when there is not enough in a row.
    pub(crate) fn take_arena(&self, len: u32) -> Option<Run> {
        if let Some(run) = self.arena.borrow_mut().take(len) {
            return Some(run);
        }
        if !self.has_deferred.get() {
            return None;
        }
        self.enter(0, 0);
        self.arena.borrow_mut().take(len)
    }

    /// A receive buffer: the one kept from the last request, or fresh.
    #[inline]
    pub(crate) fn receive_buffer(&self, len: u32) -> Option<Run> {
        match self.kept.take() {
            Some(run) => Some(run),
            None => self.take_arena(len),
        }
    }

    /// Keeps a receive buffer for the next receive. A RETURN that is still queued may name it: the queue is taken in order, so a
    /// receive into it comes after that.
    #[inline]
    pub(crate) fn keep_receive_buffer(&self, run: Run) {
        if let Some(other) = self.kept.replace(Some(run)) {
            self.free_arena_later(other);
        }
    }

    /// Gives arena memory back at once: nothing queued or in flight names it.
    pub(crate) fn free_arena(&self, run: Run) {
        self.arena.borrow_mut().free(run);
    }

    /// Gives arena memory back after the next enter: a queued submission still names it.
    pub(crate) fn free_arena_later(&self, run: Run) {
        self.deferred.borrow_mut().push(run);
        self.has_deferred.set(true);
    }

    #[cold]
    #[inline(never)]
    fn free_deferred(&self) {
        let mut arena = self.arena.borrow_mut();
        for run in self.deferred.borrow_mut().drain(..) {
            arena.free(run);
        }
        self.has_deferred.set(false);
    }
}

/// The calling thread's own things.
#[cfg(capos)]
#[inline]
pub(crate) fn current() -> &'static Thread {
    let this: *const Thread;
    // SAFETY: `entry` and `threads` set the FS base to a settled `Thread` before any code that can come here, and it is never
    // freed while its thread runs. `Thread` is not `Sync`, so the reference stays on this thread.
    unsafe {
        core::arch::asm!("mov {}, fs:[0]", out(reg) this, options(nostack, pure, readonly, preserves_flags));
        &*this
    }
}

/// The calling thread's own things; there are none on the host, where this crate only compiles.
#[cfg(not(capos))]
pub(crate) fn current() -> &'static Thread {
    unreachable!("capOS programs run on capOS")
}
