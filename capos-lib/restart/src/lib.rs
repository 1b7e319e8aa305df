//! When a service that ended is started again, and when it is given up.
//!
//! Time and outcome come in, a decision comes out. A service that keeps dying is started ever later, and after
//! [`MAX_RESTARTS`] restarts within [`WINDOW_NS`] not at all: a crash loop must not eat the machine. One that keeps ending well, a shell
//! that is left again and again, is started ever later and never given up. A service that lives long enough begins anew.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

/// Restarts within the window before a service is given up.
pub const MAX_RESTARTS: u32 = 6;

/// The window; a life at least as long clears the count.
pub const WINDOW_NS: u64 = 10_000_000_000;

/// Delay of the first restart; each further one in a row takes twice as long.
pub const FIRST_DELAY_NS: u64 = 10_000_000;

/// What the manifest says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// It runs once.
    Never,
    /// Again when it did not end well by itself.
    OnFailure,
    /// Again whatever happened, also when somebody ended it.
    Always,
}

/// How a service ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ended by itself and said 0.
    Success,
    /// It said something else, or faulted.
    Failure,
    /// Somebody with the authority ended it: no failure of its own.
    Killed,
}

/// What to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Leave it ended.
    Leave,
    /// Start it at this time.
    StartAt(u64),
    /// It died too often; leave it ended and say so.
    GiveUp,
}

/// The memory of one service.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    policy: Policy,
    /// Restarts in a row after failures.
    in_a_row: u32,
    /// And after good ends.
    left_in_a_row: u32,
    started_ns: u64,
}

impl Restarts {
    /// A service that was never started.
    pub const fn new(policy: Policy) -> Self {
        Restarts { policy, in_a_row: 0, left_in_a_row: 0, started_ns: 0 }
    }

    /// It was started.
    pub fn started(&mut self, now_ns: u64) {
        self.started_ns = now_ns;
    }

    /// A person started it: what happened before does not count any more.
    pub fn forgive(&mut self) {
        self.in_a_row = 0;
        self.left_in_a_row = 0;
    }

    /// It ended.
    pub fn ended(&mut self, now_ns: u64, outcome: Outcome) -> Decision {
        let again = match (self.policy, outcome) {
            (Policy::Never, _) | (Policy::OnFailure, Outcome::Success | Outcome::Killed) => false,
            (Policy::OnFailure, Outcome::Failure) | (Policy::Always, _) => true,
        };
        if !again {
            return Decision::Leave;
        }
        if outcome == Outcome::Killed {
            // Not a crash, so it does not count as one; the delay bounds how often it can happen.
            return Decision::StartAt(now_ns.saturating_add(FIRST_DELAY_NS));
        }
        if now_ns.saturating_sub(self.started_ns) >= WINDOW_NS {
            self.forgive();
        }
        if outcome == Outcome::Success {
            let delay = FIRST_DELAY_NS << self.left_in_a_row.min(MAX_RESTARTS);
            self.left_in_a_row = self.left_in_a_row.saturating_add(1);
            return Decision::StartAt(now_ns.saturating_add(delay));
        }
        if self.in_a_row >= MAX_RESTARTS {
            return Decision::GiveUp;
        }
        let delay = FIRST_DELAY_NS << self.in_a_row;
        self.in_a_row += 1;
        Decision::StartAt(now_ns.saturating_add(delay))
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, FIRST_DELAY_NS, MAX_RESTARTS, Outcome, Policy, Restarts, WINDOW_NS};

    #[test]
    fn policies_decide_by_outcome() {
        let wants = |policy, outcome| Restarts::new(policy).ended(0, outcome) != Decision::Leave;
        assert!(!wants(Policy::Never, Outcome::Failure));
        assert!(!wants(Policy::OnFailure, Outcome::Success));
        assert!(wants(Policy::OnFailure, Outcome::Failure));
        assert!(wants(Policy::Always, Outcome::Success));
        assert!(wants(Policy::Always, Outcome::Failure));
    }

    #[test]
    fn what_was_killed_comes_back_only_if_it_always_does() {
        assert_eq!(Restarts::new(Policy::OnFailure).ended(5, Outcome::Killed), Decision::Leave);
        let mut service = Restarts::new(Policy::Always);
        for _ in 0..10 * MAX_RESTARTS {
            assert_eq!(service.ended(5, Outcome::Killed), Decision::StartAt(5 + FIRST_DELAY_NS));
        }
    }

    #[test]
    fn what_ends_well_is_slowed_down_and_never_given_up() {
        let mut service = Restarts::new(Policy::Always);
        let mut delays = (0..10 * MAX_RESTARTS).map(|_| match service.ended(5, Outcome::Success) {
            Decision::StartAt(at) => at - 5,
            other => panic!("{other:?}"),
        });
        assert_eq!(delays.next(), Some(FIRST_DELAY_NS));
        assert_eq!(delays.next(), Some(2 * FIRST_DELAY_NS));
        assert_eq!(delays.last(), Some(FIRST_DELAY_NS << MAX_RESTARTS));
    }

    #[test]
    fn delays_double() {
        let mut service = Restarts::new(Policy::Always);
        for turn in 0..4 {
            service.started(0);
            let Decision::StartAt(time) = service.ended(100, Outcome::Failure) else { panic!("given up") };
            assert_eq!(time, 100 + (FIRST_DELAY_NS << turn));
        }
    }

    #[test]
    fn a_crash_loop_ends() {
        let mut service = Restarts::new(Policy::OnFailure);
        let mut starts = 0;
        while let Decision::StartAt(time) = service.ended(0, Outcome::Failure) {
            service.started(time);
            starts += 1;
        }
        assert_eq!(starts, MAX_RESTARTS);
        assert_eq!(service.ended(1, Outcome::Failure), Decision::GiveUp);
    }

    #[test]
    fn a_long_life_or_a_person_clears_the_count() {
        let mut service = Restarts::new(Policy::Always);
        for _ in 0..MAX_RESTARTS {
            service.ended(0, Outcome::Failure);
        }
        service.started(5);
        assert_eq!(
            service.ended(5 + WINDOW_NS, Outcome::Failure),
            Decision::StartAt(5 + WINDOW_NS + FIRST_DELAY_NS)
        );
        for _ in 0..MAX_RESTARTS {
            service.ended(5, Outcome::Failure);
        }
        service.forgive();
        assert!(matches!(service.ended(6, Outcome::Failure), Decision::StartAt(_)));
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut service = Restarts::new(Policy::Always);
        assert_eq!(service.ended(u64::MAX, Outcome::Failure), Decision::StartAt(u64::MAX));
    }
}
