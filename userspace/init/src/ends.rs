//! How a service ended, for the log and for the restart policy.

use alloc::format;
use alloc::string::String;
use capos_restart::Outcome;
use rt::generated::process_handle::CrashReply;
use rt::schema::process_handle::{ExitReason, WaitResults};

/// Return addresses of a backtrace that the log shows.
const FRAMES: usize = 12;

/// Reason and code, as the kernel tells them.
#[derive(Clone, Copy)]
pub struct End {
    pub reason: ExitReason,
    pub code: i64,
}

impl End {
    /// From the answer of `ProcessHandle.wait`.
    pub fn of(results: &WaitResults) -> End {
        End { reason: results.reason, code: results.code }
    }

    /// For the restart policy.
    pub fn outcome(self) -> Outcome {
        match (self.reason, self.code) {
            (ExitReason::Exited, 0) => Outcome::Success,
            (ExitReason::Killed, _) => Outcome::Killed,
            _ => Outcome::Failure,
        }
    }

    /// In words.
    pub fn describe(self) -> String {
        match self.reason {
            ExitReason::Exited => format!("exited with {}", self.code),
            ExitReason::Killed => String::from("was killed"),
            ExitReason::Faulted => format!("faulted with exception {}", self.code),
        }
    }
}

/// The crash record on one line, for people with the program's symbols.
pub fn describe_crash(crash: &CrashReply) -> String {
    let mut text = format!(
        "exception {} error {:#x} address {:#x} rip {:#x} rsp {:#x} rbp {:#x} thread {}",
        crash.vector, crash.error_code, crash.address, crash.rip, crash.rsp, crash.rbp, crash.thread
    );
    let frames = crash.backtrace.as_chunks::<8>().0.iter().take(FRAMES);
    for (number, frame) in frames.enumerate() {
        let lead = if number == 0 { " backtrace" } else { "" };
        text.push_str(&format!("{lead} {:#x}", u64::from_le_bytes(*frame)));
    }
    text
}
