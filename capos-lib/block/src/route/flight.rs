//! A request under way.

use super::SessionId;
use crate::Request;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// For another one to have changed what this one changes.
    Held,
    /// For its turn to be asked.
    Waiting,
    /// The disk was asked.
    Sent,
}

#[derive(Debug)]
pub struct Flight {
    /// With sectors of the whole disk.
    pub request: Request,
    pub disk: u16,
    /// Nobody when its client is gone, and the disk is at it.
    pub session: Option<SessionId>,
    pub state: State,
    /// Lives of the disk that were asked.
    pub lives: u8,
    /// Sessions that wait until it is over, as bits.
    pub bars: u64,
}
