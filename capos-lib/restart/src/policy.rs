//! When a service that ended is started again, and when it is given up.
//!
//! A service that keeps failing is started ever later, and after too many failures within the window not at all: a crash loop must not eat
//! the machine. One that keeps ending well, a shell that is left again and again, is started ever later and never given up. A life
//! as long as the window makes the next wait the first one again.

/// What may be tried after an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// It runs once.
    Never,
    /// Again when it did not end well by itself.
    OnFailure,
    /// Again whatever happened, also when somebody ended it.
    Always,
}

/// What the manifest says. Times are nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// After which ends.
    pub when: When,
    /// The first wait; each further one in a row takes twice as long.
    pub first_ns: u64,
    /// The longest wait.
    pub longest_ns: u64,
    /// So many failures within the window are forgiven; at most [`Policy::MOST`].
    pub restarts: u8,
    /// The window.
    pub window_ns: u64,
}

impl Policy {
    /// So many failures are remembered.
    pub const MOST: usize = 16;
}

/// How an instance ended, for the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ended by itself and said 0.
    Success,
    /// It said something else, faulted, or broke a promise.
    Failure,
    /// Somebody with the authority ended it: no failure of its own.
    Killed,
}

/// How an instance ended, for people. The codes are those of `ProcessHandle.wait`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It said so.
    Exited(i64),
    /// Its handle's holder ended it.
    Killed,
    /// With this exception.
    Faulted(i64),
    /// It was never started: it could not be.
    NotStarted,
}

impl Ending {
    /// As the policy sees it.
    pub fn outcome(self) -> Outcome {
        match self {
            Ending::Exited(0) => Outcome::Success,
            Ending::Killed => Outcome::Killed,
            _ => Outcome::Failure,
        }
    }

    /// What it said, or the exception; -1 when there is no such thing.
    pub fn code(self) -> i64 {
        match self {
            Ending::Exited(code) | Ending::Faulted(code) => code,
            Ending::Killed => 0,
            Ending::NotStarted => -1,
        }
    }
}

/// What to do about an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Leave it ended.
    Leave,
    /// Start it at this time.
    StartAt(u64),
    /// It failed too often; leave it ended and say so.
    GiveUp,
}

/// What is remembered of the past of one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Restarts {
    /// When it failed, oldest first.
    pub(crate) failures: [u64; Policy::MOST],
    pub(crate) failed: u8,
    /// Restarts in a row after failures.
    pub(crate) in_a_row: u32,
    /// And after good ends.
    pub(crate) left_in_a_row: u32,
    pub(crate) started_ns: u64,
}

impl Restarts {
    /// It was started.
    pub fn started(&mut self, now_ns: u64) {
        self.started_ns = now_ns;
    }

    /// A person started it: what happened before does not count any more.
    pub fn forgive(&mut self) {
        self.failed = 0;
        self.in_a_row = 0;
        self.left_in_a_row = 0;
    }

    /// It ended.
    pub fn ended(&mut self, policy: &Policy, now_ns: u64, outcome: Outcome) -> Decision {
        let again = match (policy.when, outcome) {
            (When::Never, _) | (When::OnFailure, Outcome::Success | Outcome::Killed) => false,
            (When::OnFailure, Outcome::Failure) | (When::Always, _) => true,
        };
        if !again {
            return Decision::Leave;
        }
        if now_ns.saturating_sub(self.started_ns) >= policy.window_ns {
            self.in_a_row = 0;
            self.left_in_a_row = 0;
        }
        let turn = match outcome {
            // Not a crash, so it does not count as one; the wait bounds how often it can happen.
            Outcome::Killed => 0,
            Outcome::Success => {
                self.left_in_a_row = self.left_in_a_row.saturating_add(1);
                self.left_in_a_row - 1
            }
            Outcome::Failure => {
                self.forget_before(now_ns.saturating_sub(policy.window_ns));
                if !self.remember(now_ns, policy.restarts) {
                    return Decision::GiveUp;
                }
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.in_a_row - 1
            }
        };
        let wait = policy.first_ns.saturating_mul(1u64.checked_shl(turn).unwrap_or(u64::MAX));
        Decision::StartAt(now_ns.saturating_add(wait.min(policy.longest_ns)))
    }

    /// Forgets failures at or before a time.
    fn forget_before(&mut self, time_ns: u64) {
        let old = self.remembered().iter().take_while(|failure| **failure <= time_ns && time_ns > 0).count();
        self.failures.rotate_left(old);
        self.failed = self.failed.saturating_sub(old as u8);
    }

    /// Takes note of a failure; false when there were as many as may be.
    fn remember(&mut self, now_ns: u64, most: u8) -> bool {
        if self.failed >= most {
            return false;
        }
        let Some(place) = self.failures.get_mut(usize::from(self.failed)) else { return false };
        *place = now_ns;
        self.failed += 1;
        true
    }

    pub(crate) fn remembered(&self) -> &[u64] {
        self.failures.get(..usize::from(self.failed)).unwrap_or(&self.failures)
    }
}
