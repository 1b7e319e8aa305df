//! Shares of the processors' time: a tree like that of the accounts. What a process promises a child is taken out of its own share.
//!
//! A process without a share of its own uses its maker's, together with the maker. At the top is the machine, which limits nobody: it
//! only knows how much of it is promised.

use capos_sched::Bucket;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::{cpu as machine, time};

/// Hundredths of one processor's time, and who uses them.
pub(crate) struct Share {
    percent: u32,
    state: Lock<State>,
    /// `None`: the machine.
    parent: Option<Ref<Share>>,
}

struct State {
    /// What is promised to others.
    promised: u32,
    bucket: Bucket,
}

/// Why nothing was promised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ShareError {
    /// The giver has not got so much left, or would have nothing left for itself.
    Exhausted,
    OutOfMemory,
}

impl From<OutOfMemory> for ShareError {
    fn from(_: OutOfMemory) -> Self {
        ShareError::OutOfMemory
    }
}

impl Share {
    /// All of the machine's time.
    pub fn machine() -> Result<Ref<Share>, OutOfMemory> {
        let percent = u32::try_from(machine::count()).unwrap_or(u32::MAX).saturating_mul(100);
        Ref::try_new(Share::new(percent, None))
    }

    fn new(percent: u32, parent: Option<Ref<Share>>) -> Share {
        let bucket = Bucket::new(percent, time::now_ns());
        Share { percent, state: Lock::new(LockRank::Queue, State { promised: 0, bucket }), parent }
    }

    /// The share of a child that was promised so many hundredths of one processor: with 0 the same share.
    pub fn of_child(this: &Ref<Share>, percent: u32) -> Result<Ref<Share>, ShareError> {
        if percent == 0 {
            return Ok(this.clone());
        }
        // From here on the child's own drop gives the promise back, also when there is no room for it.
        this.promise(percent)?;
        Ok(Ref::try_new(Share::new(percent, Some(this.clone())))?)
    }

    /// Whether it is less than all there is.
    pub fn is_limited(&self) -> bool {
        self.parent.is_some()
    }

    /// Hundredths of one processor that are not promised to others.
    pub fn percent(&self) -> u32 {
        self.percent.saturating_sub(self.state.lock().promised)
    }

    fn promise(&self, percent: u32) -> Result<(), ShareError> {
        let mut state = self.state.lock();
        // Who is limited and has nothing left would never run again, not even to take the promise back.
        let most = if self.is_limited() { self.percent.saturating_sub(1) } else { self.percent };
        let promised = state.promised.checked_add(percent).filter(|promised| *promised <= most);
        state.promised = promised.ok_or(ShareError::Exhausted)?;
        let left = self.percent - state.promised;
        state.bucket.set_percent(left);
        Ok(())
    }

    fn give_back(&self, percent: u32) {
        let mut state = self.state.lock();
        state.promised = state.promised.saturating_sub(percent);
        let left = self.percent.saturating_sub(state.promised);
        state.bucket.set_percent(left);
    }

    /// See [`Bucket::take`].
    pub fn take(&self, now: u64, most: u64, pressed: bool) -> u64 {
        self.state.lock().bucket.take(now, most, pressed)
    }

    /// See [`Bucket::settle`].
    pub fn settle(&self, granted: u64, used: u64) {
        self.state.lock().bucket.settle(granted, used);
    }

    /// Gives the parent back what it promised, and lets it go.
    fn leave(&mut self) -> Option<Ref<Share>> {
        let parent = self.parent.take()?;
        parent.give_back(self.percent);
        Some(parent)
    }
}

impl Drop for Share {
    /// In a loop and not one inside the other: programs decide how long a chain of shares is.
    fn drop(&mut self) {
        let mut next = self.leave();
        while let Some(mut share) = next.and_then(Ref::into_inner) {
            next = share.leave();
        }
    }
}
