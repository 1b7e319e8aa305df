//! What can be seen of a service.

use super::instance::Life;
use super::service::Phase;
use super::{Supervision, Why};
use crate::policy::Ending;

/// Where a service is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It is not running now, and will or may be started.
    Waiting,
    /// Its process runs and is not ready.
    Starting,
    /// It serves.
    Running,
    /// It ended and stays so.
    Ended,
    /// It failed too often.
    GivenUp,
}

/// What people see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Where it is.
    pub state: State,
    /// The instance that serves, or is about to; 0 when there is none.
    pub epoch: u32,
    /// Since when there is that instance.
    pub since_ns: u64,
    /// Whether it was asked something and has not answered; `None` when it promised nothing or is not there.
    pub late: Option<bool>,
    /// Instances that were started because one had ended.
    pub restarts: u32,
    /// How the last one ended.
    pub last: Option<Ending>,
    /// Its start is under way.
    pub launching: bool,
    /// Another instance is to take over.
    pub replacing: bool,
    /// Why it is being killed, if it is.
    pub condemned: Option<Why>,
}

/// Whether a client finds somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serving {
    /// Number so many serves.
    Now(u32),
    /// Nobody now.
    Later,
    /// Nobody will, unless a person starts it.
    Never,
}

impl Supervision {
    /// How a service is doing.
    pub fn view(&self, service: usize) -> Option<View> {
        let it = self.services.get(service)?;
        let life = it.current.map(|current| current.life);
        let state = match (it.phase, life) {
            (Phase::Up, Some(Life::Unready { .. })) => State::Starting,
            (Phase::Up, Some(_)) => State::Running,
            (Phase::Ended, _) => State::Ended,
            (Phase::GivenUp, _) => State::GivenUp,
            _ => State::Waiting,
        };
        Some(View {
            state,
            epoch: it.current.map_or(0, |current| current.epoch),
            since_ns: it.current.map_or(0, |current| current.since_ns),
            late: match life {
                Some(Life::Unready { .. } | Life::Asked { .. }) => Some(true),
                Some(Life::Well { .. }) => Some(false),
                _ => None,
            },
            restarts: it.times,
            last: it.last,
            launching: it.phase == Phase::Starting,
            replacing: it.replacing || it.successor.is_some(),
            condemned: match life {
                Some(Life::Condemned(why)) => Some(why),
                _ => None,
            },
        })
    }

    /// Whether a client of that service finds somebody.
    pub fn serving(&self, service: usize) -> Serving {
        let Some(it) = self.services.get(service) else { return Serving::Never };
        match (it.phase, it.current) {
            (Phase::Up, Some(current)) if current.is_fit() => Serving::Now(current.epoch),
            (Phase::Ended | Phase::GivenUp, _) => Serving::Never,
            _ => Serving::Later,
        }
    }
}
