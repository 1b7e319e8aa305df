//! Who supervises the supervisor.

use crate::starter;
use crate::state::State;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_restart::{Decision, Outcome, Policy, Restarts, When};
use rt::log;
use rt::schema::process_handle::{ExitReason, WaitResults};

/// The system cannot do without it: it is started again whatever happens, ever later at first, and never given up. Failures are not counted:
/// every end is as good as any other here, but for a kill, which is what somebody wanted and no reason to wait longer.
const POLICY: Policy = Policy {
    when: When::Always,
    first_ns: 1_000_000,
    longest_ns: 100_000_000,
    restarts: Policy::MOST as u8,
    window_ns: 10_000_000_000,
};

/// Starts the supervisor, and another one whenever it has ended. Services go on meanwhile, and calls of it wait.
pub async fn guard(state: Rc<State>) {
    let mut restarts = Restarts::default();
    loop {
        let now = state.kernel.timer.now().await.unwrap_or(0);
        restarts.started(now);
        let outcome = match once(&state, now).await {
            Ok(end) => {
                let outcome = outcome(end.reason);
                let end = describe(end);
                log::warn(format_args!("supervisor {end} and is started again; services go on"));
                outcome
            }
            Err(why) => {
                log::error(format_args!("supervisor could not be started: {why}"));
                Outcome::Success
            }
        };
        let now = state.kernel.timer.now().await.unwrap_or(0);
        if let Decision::StartAt(at) = restarts.ended(&POLICY, now, outcome) {
            // Should the clock fail, it is started at once.
            let _ = state.kernel.timer.sleep_until(at).await;
        }
    }
}

/// One supervisor, from its start to its end.
async fn once(state: &State, now_ns: u64) -> Result<WaitResults, String> {
    let (handle, process) = starter::supervisor(state).await?;
    let (handle, supervisor) = (Rc::new(handle), &state.supervisor);
    supervisor.process.set(process);
    supervisor.since_ns.set(now_ns);
    *supervisor.handle.borrow_mut() = Some(Rc::clone(&handle));
    log::info(format_args!("supervisor started as process {process}"));
    let end = handle.wait().await.map_err(|error| format!("{error}"));
    supervisor.process.set(0);
    *supervisor.handle.borrow_mut() = None;
    // From here on nothing that it asked for is begun.
    supervisor.deaths.set(supervisor.deaths.get().saturating_add(1));
    while supervisor.in_hand.get() > 0 {
        supervisor.settled.wait().await;
    }
    end
}

fn outcome(reason: ExitReason) -> Outcome {
    match reason {
        ExitReason::Killed => Outcome::Killed,
        ExitReason::Exited | ExitReason::Faulted => Outcome::Success,
    }
}

fn describe(end: WaitResults) -> String {
    match end.reason {
        ExitReason::Exited => format!("exited with {}", end.code),
        ExitReason::Killed => String::from("was killed"),
        ExitReason::Faulted => format!("faulted with exception {}", end.code),
    }
}
