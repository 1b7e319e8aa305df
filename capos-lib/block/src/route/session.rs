//! Clients.

use super::{Facet, NoRoom, Router};
use crate::{Geometry, Tag};

/// Which client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionId(pub(super) u16);

impl SessionId {
    /// Its number: below the number of sessions that there may be.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One client.
#[derive(Debug)]
pub struct Session {
    first: u64,
    geometry: Geometry,
    budget: u16,
    under_way: u16,
    /// What waits for others to have changed the same. Until then nothing more is taken: who asks for this waits alone.
    held: Option<Tag>,
}

impl Session {
    #[inline]
    pub fn may_ask(&self) -> bool {
        self.under_way < self.budget && self.held.is_none()
    }

    #[inline]
    pub fn under_way(&self) -> u32 {
        self.under_way.into()
    }

    #[inline]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    #[inline]
    pub fn first(&self) -> u64 {
        self.first
    }

    #[inline]
    pub fn begin(&mut self, held: Option<Tag>) {
        self.under_way += 1;
        self.held = held;
    }

    #[inline]
    pub fn end(&mut self, tag: Tag) {
        self.under_way -= 1;
        self.let_go(tag);
    }

    #[inline]
    pub fn let_go(&mut self, tag: Tag) {
        self.held = self.held.filter(|held| *held != tag);
    }

    pub fn learn(&mut self, disk: &Geometry) {
        let Geometry { sectors, read_only, .. } = self.geometry;
        self.geometry = Geometry { sectors, read_only: read_only || disk.read_only, ..*disk };
    }
}

impl<B> Router<B> {
    #[inline]
    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id.index())?.as_ref()
    }

    #[inline]
    pub(super) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(id.index())?.as_mut()
    }

    /// Another client, of whom at most so many requests are under way at a time.
    ///
    /// # Errors
    /// There are as many as there may be, or the disk does not have these sectors.
    pub fn open(&mut self, facet: &Facet, budget: u16) -> Result<SessionId, NoRoom> {
        let geometry = facet.geometry(&self.disk);
        let free = self.sessions.iter_mut().zip(0..).find(|(session, _)| session.is_none());
        let (place, number) = free.filter(|_| facet.is_of(&self.disk)).ok_or(NoRoom)?;
        *place = Some(Session { first: facet.first(), geometry, budget, under_way: 0, held: None });
        Ok(SessionId(number))
    }

    /// The client is gone. What the disk was not asked yet is forgotten; for the rest nobody waits.
    pub fn close(&mut self, id: SessionId) {
        if self.sessions.get_mut(id.index()).and_then(Option::take).is_none() {
            return;
        }
        self.abandon(id);
        self.buffers.close(id);
    }
}
