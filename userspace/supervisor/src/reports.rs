//! What people should know, in the log.

use crate::state::State;
use capos_restart::{Report, Why};
use rt::log;

/// Says it.
pub fn report(state: &State, service: usize, report: Report) {
    let name = state.name(service);
    match report {
        // Who left a service and gets it again knows that; everything else a person should hear of.
        Report::StartedAfterLeaving => log::info(format_args!("{name} was left and is started again")),
        Report::StartedAgain => log::warn(format_args!("{name} is started again")),
        Report::GivenUp => log::error(format_args!("{name} died too often and stays ended")),
        Report::GroupRestarted => {
            log::error(format_args!("{name} died too often; all that need it are started anew"));
        }
        Report::Rebooting => log::error(format_args!("{name} died too often; the machine is reset")),
        Report::Condemned(why) => condemned(name, why),
        Report::Replaced(epoch) => {
            state.replaced.borrow_mut().insert(service, Some(epoch));
            state.changed.notify();
            log::info(format_args!("{name} was replaced"));
        }
        Report::ReplacementFailed => {
            state.replaced.borrow_mut().insert(service, None);
            state.changed.notify();
            log::error(format_args!("{name} was not replaced; nothing has changed"));
        }
        Report::Reverted => {
            log::warn(format_args!("{name} ended soon after it was replaced, and is what it was before"));
        }
        Report::Overdue(epoch) => {
            log::warn(format_args!("{name} number {epoch} was replaced, did not end in time and is killed"));
        }
    }
}

fn condemned(name: &str, why: Why) {
    match why {
        Why::Person => {}
        Why::Unready => log::warn(format_args!("{name} did not become ready in time and is killed")),
        Why::Silent => log::warn(format_args!("{name} did not answer in time and is killed")),
        Why::Unwell => log::warn(format_args!("{name} is not well and is killed")),
        Why::Follow => log::info(format_args!("{name} follows what it needs and is started anew")),
        Why::Group => log::info(format_args!("{name} is started anew with what it needs")),
    }
}
