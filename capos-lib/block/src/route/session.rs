//! Clients.

use super::{Facet, NoRoom, Router};
use crate::Geometry;

/// Which client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionId(pub(super) u16);

impl SessionId {
    /// The one of that number, whether it is there or not.
    pub const fn new(number: u16) -> SessionId {
        SessionId(number)
    }

    /// Its number: below the number of sessions that there may be.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One client.
#[derive(Debug)]
pub struct Session {
    facet: Facet,
    geometry: Geometry,
    budget: u16,
    under_way: u16,
    /// How many wait for others to have changed the same. Until then nothing more is taken.
    held: u16,
    /// How many requests of clients that are gone were under way when it came, and still are. Until they are over nothing is taken.
    barred: u16,
}

impl Session {
    /// How many more it may ask.
    #[inline]
    pub fn room(&self) -> usize {
        if self.held == 0 && self.barred == 0 { self.budget.saturating_sub(self.under_way).into() } else { 0 }
    }

    #[inline]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// On which disk its sectors are, and where they begin.
    #[inline]
    pub fn place(&self) -> (u16, u64) {
        self.facet.place()
    }

    #[inline]
    pub fn begin(&mut self, is_held: bool) {
        self.under_way += 1;
        self.held += u16::from(is_held);
    }

    #[inline]
    pub fn end(&mut self, is_held: bool) {
        self.under_way -= 1;
        self.held -= u16::from(is_held);
    }

    #[inline]
    pub fn let_go(&mut self) {
        self.held -= 1;
    }

    pub fn learn(&mut self, disks: &[Geometry]) {
        if let Some(disk) = disks.get(self.facet.disk()) {
            self.geometry = self.facet.geometry(disk);
        }
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

    /// Another client, of whom at most so many requests are under way at a time; it gets none of the numbers that are set in `taken`.
    ///
    /// # Errors
    /// There are as many as there may be, or the disk does not have these sectors.
    pub fn open(&mut self, facet: &Facet, budget: u16, taken: u64) -> Result<SessionId, NoRoom> {
        let disk = self.disks.get(facet.disk()).filter(|disk| facet.is_of(disk)).ok_or(NoRoom)?;
        let geometry = facet.geometry(disk);
        let mut places = self.sessions.iter_mut().zip(0..);
        let free = places.find(|(session, number)| session.is_none() && taken & 1 << number == 0);
        let (place, number) = free.ok_or(NoRoom)?;
        let mut barred = 0;
        for orphan in self.pending.values_mut().filter(|flight| flight.session.is_none()) {
            orphan.bars |= 1 << number;
            barred += 1;
        }
        *place = Some(Session { facet: *facet, geometry, budget, under_way: 0, held: 0, barred });
        Ok(SessionId(number))
    }

    /// The client is gone. What the disk was not asked yet is forgotten; for the rest nobody waits.
    pub fn close(&mut self, id: SessionId) {
        if self.sessions.get_mut(id.index()).and_then(Option::take).is_none() {
            return;
        }
        self.pending.values_mut().for_each(|flight| flight.bars &= !(1 << id.0));
        self.abandon(id);
        self.buffers.close(id);
    }

    /// Something is over that these sessions waited for.
    pub(super) fn unbar(&mut self, mut bars: u64) {
        while bars != 0 {
            if let Some(session) = self.session_mut(SessionId(bars.trailing_zeros() as u16)) {
                session.barred = session.barred.saturating_sub(1);
            }
            bars &= bars - 1;
        }
    }
}
