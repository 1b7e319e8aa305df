//! The way of a request: from a client's queue to the device, and of its completion back.

use super::{Place, Queues};
use crate::block::{Disk, Refusal};
use capos_block::Tag;
use capos_block::route::SessionId;
use rt::listener::Listener;

impl Queues {
    /// Takes what the device is through with. Whether there was anything.
    #[inline]
    pub fn complete<D: Disk>(&mut self, disk: &mut D, now: u64) -> Result<bool, D::Fault> {
        let mut any = false;
        while let Some(over) = disk.take(now)? {
            self.finish(over.tag, over.status, over.detail);
            any = true;
        }
        Ok(any)
    }

    /// Whether some client may have asked for more.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.ports.awake() != 0
    }

    /// Gives the device what there is to do. Whether there was anything.
    #[inline]
    pub fn submit<D: Disk>(&mut self, disk: &mut D, now: u64) -> bool {
        // What waits already is first in the queue all the same.
        self.router.take(self.ports.awake(), &mut self.ports) | self.hand_over(disk, now)
    }

    #[inline]
    fn hand_over<D: Disk>(&mut self, disk: &mut D, now: u64) -> bool {
        let mut any = false;
        while let Some(ask) = self.router.ready() {
            let token = ask.handle.wrapping_add(ask.request.offset.into());
            match disk.submit(ask.tag, ask.disk, &ask.request, token, now) {
                Ok(()) => self.router.sent(),
                Err(Refusal::Busy) => break,
                Err(Refusal::Over(status)) => {
                    self.router.sent();
                    self.refuse(ask.tag, status);
                }
            }
            any = true;
        }
        any
    }

    /// One is over that the device was not asked.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, tag: Tag, status: capos_block::Status) {
        self.finish(tag, status, 0);
    }

    /// One is over: its client is answered, if it is still there.
    #[inline(always)]
    fn finish(&mut self, tag: Tag, status: capos_block::Status, detail: u32) {
        // A disk names a tag once for each time that it was asked by it; what it was not asked is nobody's.
        if let Ok(Some(completed)) = self.router.complete(tag, status, detail) {
            capos_block::route::Clients::answer(&mut self.ports, completed.session, completed.completion);
        }
    }

    /// Lets everybody hear of what was answered, with the next wait, and everybody go who broke the rules.
    #[inline]
    pub fn send(&mut self, listener: &Listener) {
        self.ports.send(listener);
        let broken = self.ports.broken();
        if broken != 0 {
            self.end_sessions(broken);
        }
        self.let_go();
    }

    /// Doorbells rang, and some were lost.
    #[inline]
    pub fn rung(&mut self, rung: u64, lost: u64) {
        self.ports.wake(rung);
        if lost != 0 {
            self.ports.lost_doorbells(lost);
            self.end_sessions(lost);
        }
    }

    fn end_sessions(&mut self, mut sessions: u64) {
        while sessions != 0 {
            let place = sessions.trailing_zeros() as u16;
            sessions &= sessions - 1;
            if let Some(serial) = self.ports.at(place.into()) {
                self.close(Place { id: SessionId::new(place), serial });
            }
        }
    }
}
