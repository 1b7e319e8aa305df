//! The disk goes and comes back.

use super::flight::State;
use super::{Clients, LIVES, Router};
use crate::{Completion, Geometry, Status, Tag};
use alloc::vec::Vec;

/// The disks that have come are not those that were there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Different;

impl<B> Router<B> {
    /// The disk is gone, and with it what it knew: nothing that was asked will be answered. Clients may go on asking.
    pub fn down(&mut self, clients: &mut impl Clients) {
        self.is_up = false;
        self.buffers.forget_handles();
        let all: Vec<_> =
            self.pending.iter().map(|(tag, flight)| (tag, flight.session, flight.lives)).collect();
        for (tag, session, lives) in all {
            match session {
                None => drop(self.forget(tag)),
                Some(_) if lives >= LIVES => self.fail(tag, clients),
                Some(_) => {}
            }
        }
        self.begin_again();
    }

    /// It is there, and knows the [`buffers`](Self::buffers) that have handles. What uses others fails.
    ///
    /// # Errors
    /// It is another one, or less of one: whoever used the first has to be told that it is gone, by [`close`](Self::close).
    pub fn up(&mut self, disks: &[Geometry], clients: &mut impl Clients) -> Result<(), Different> {
        let kept = |(this, that): (&Geometry, &Geometry)| this.is_kept_by(that);
        if self.disks.len() != disks.len() || !self.disks.iter().zip(disks).all(kept) {
            return Err(Different);
        }
        self.disks.copy_from_slice(disks);
        self.sessions.iter_mut().flatten().for_each(|session| session.learn(disks));
        let lost = self.pending.iter().filter(|(_, flight)| {
            let request = &flight.request;
            request.operation.has_data() && self.buffers.handle(request.buffer).is_none()
        });
        let lost: Vec<_> = lost.map(|(tag, _)| tag).collect();
        lost.into_iter().for_each(|tag| self.fail(tag, clients));
        self.begin_again();
        self.is_up = true;
        Ok(())
    }

    /// Everything is to be asked, in the order in which it came, but what waits for others.
    fn begin_again(&mut self) {
        self.waiting.clear();
        let free = self.pending.iter().filter(|(_, flight)| flight.state != State::Held);
        self.waiting.extend(free.map(|(tag, _)| tag));
        for tag in &self.waiting {
            if let Some(flight) = self.pending.get_mut(*tag) {
                flight.state = State::Waiting;
            }
        }
    }

    fn fail(&mut self, tag: Tag, clients: &mut impl Clients) {
        let Some(id) = self.pending.get(tag).map(|flight| flight.request.id) else { return };
        if let Some(session) = self.forget(tag) {
            clients.answer(session, Completion { id, status: Status::Device, detail: 0 });
        }
    }
}

impl Geometry {
    /// Whether who knew this device can go on with that one, which may have become larger.
    pub fn is_kept_by(&self, other: &Geometry) -> bool {
        let same = self.sectors <= other.sectors && self.sector_shift == other.sector_shift;
        let can = |this: bool, that: bool| that || !this;
        same && other.most >= self.most && can(self.discard, other.discard) && can(self.zero, other.zero)
    }
}
