//! What became of the images.

use rt::schema::process_handle::{ExitReason, WaitResults};
use rt::{CallError, ExceptionCode};

/// Counts.
#[derive(Default)]
pub struct Tally {
    /// Offered.
    pub tried: u64,
    /// Refused as malformed, or for an argument out of range.
    pub malformed: u64,
    /// Refused because they would need more than the budget.
    pub exhausted: u64,
    /// Refused otherwise: there is no other reason, so this must stay zero.
    pub untyped: u64,
    /// That became processes.
    pub started: u64,
    /// Of those: ended by a fault.
    pub faulted: u64,
    /// Ended by themselves.
    pub exited: u64,
    /// Killed.
    pub killed: u64,
}

impl Tally {
    /// All that were refused.
    pub fn refused(&self) -> u64 {
        self.malformed + self.exhausted + self.untyped
    }

    /// One was refused.
    pub fn refuse(&mut self, error: &CallError) {
        match error.exception() {
            Some(ExceptionCode::Malformed | ExceptionCode::InvalidArgument) => self.malformed += 1,
            Some(ExceptionCode::BudgetExhausted | ExceptionCode::OutOfMemory) => self.exhausted += 1,
            _ => self.untyped += 1,
        }
    }

    /// One ended.
    pub fn end(&mut self, end: &WaitResults) {
        match end.reason {
            ExitReason::Exited => self.exited += 1,
            ExitReason::Killed => self.killed += 1,
            ExitReason::Faulted => self.faulted += 1,
        }
    }
}
