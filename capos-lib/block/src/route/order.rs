//! Who changes sectors that another request changes already waits for it.
//!
//! Else this could happen: two writes of one sector are under way, the disk does the first and then the second and acknowledges the second, and its driver dies. The
//! first is asked again and its bytes are back, after somebody has seen those of the second: an effect twice. Reads need not wait: whatever is asked again
//! writes what was written.

use super::flight::State;
use super::{Router, SessionId};
use crate::{Request, Tag};
use alloc::vec::Vec;

/// Whether both change some sector.
fn clash(one: &Request, other: &Request) -> bool {
    // They were checked: their ends are within the disk.
    let end = |request: &Request| request.first.saturating_add(request.sectors.into());
    let are_apart = one.first >= end(other) || other.first >= end(one);
    one.operation.changes() && other.operation.changes() && !are_apart
}

impl<B> Router<B> {
    /// Whether a request that is older than `before`, or any, changes what this one changes.
    #[inline]
    pub(super) fn overlaps(&self, disk: u16, request: &Request, before: Option<Tag>) -> bool {
        if self.changing == 0 {
            return false;
        }
        let mut older = self.pending.iter().take_while(|(tag, _)| Some(*tag) != before);
        older.any(|(_, flight)| flight.disk == disk && clash(request, &flight.request))
    }

    /// Those that waited for what is over now, oldest first.
    #[inline]
    pub(super) fn let_go(&mut self) {
        while self.held > 0 {
            let Some(tag) = self.oldest_free() else { break };
            self.wait(tag);
        }
    }

    fn oldest_free(&self) -> Option<Tag> {
        let mut held = self.pending.iter().filter(|(_, flight)| flight.state == State::Held);
        held.find(|(tag, flight)| !self.overlaps(flight.disk, &flight.request, Some(*tag)))
            .map(|(tag, _)| tag)
    }

    fn wait(&mut self, tag: Tag) {
        self.held -= 1;
        self.waiting.push_back(tag);
        let flight = self.pending.get_mut(tag);
        let session = flight.and_then(|flight| {
            flight.state = State::Waiting;
            flight.session
        });
        if let Some(session) = session.and_then(|id| self.session_mut(id)) {
            session.let_go();
        }
    }

    /// Nobody waits any more for what this client asked.
    pub(super) fn abandon(&mut self, id: SessionId) {
        let own = self.pending.iter().filter(|(_, flight)| flight.session == Some(id));
        let own: Vec<_> = own.map(|(tag, flight)| (tag, flight.state)).collect();
        for (tag, state) in own {
            if state == State::Sent {
                if let Some(flight) = self.pending.get_mut(tag) {
                    flight.session = None;
                }
            } else {
                self.waiting.retain(|waiting| *waiting != tag);
                self.forget(tag);
            }
        }
    }
}
