//! What goes from clients to the device and back.

use super::{BATCH, Bits, Job, Queues};
use crate::block::{Disk, End, Over, Refusal};
use alloc::rc::Rc;
use capos_block::{Completion, Request, Status, Tag, WORDS};
use rt::listener::Listener;

impl Queues {
    /// Takes what the device is through with. Whether there was anything.
    #[inline]
    pub fn complete<D: Disk>(&mut self, disk: &mut D, now: u64) -> Result<bool, D::Fault> {
        let mut any = false;
        while let Some(over) = disk.take(now)? {
            self.finish(over);
            any = true;
        }
        Ok(any)
    }

    /// Gives the device what there is to do. Whether there was anything.
    #[inline]
    pub fn submit<D: Disk>(&mut self, disk: &mut D, now: u64) -> bool {
        let mut any = false;
        while let Some(tag) = self.backlog.front().copied() {
            if !self.hand_over(disk, tag, now) {
                return any;
            }
            self.backlog.pop_front();
            any = true;
        }
        let (awake, first) = (self.awake, self.turn);
        self.turn = (first + 1) % Bits::SESSIONS;
        for place in (first..Bits::SESSIONS).chain(0..first) {
            if awake & Bits::ring(place) != 0 {
                any |= self.take_from(disk, place, now);
            }
        }
        any
    }

    /// Whether some session is to be looked at again, and there is room for what it may have asked.
    pub fn are_awake(&self) -> bool {
        self.awake != 0 && self.has_room()
    }

    /// Lets everybody hear of what was answered, with the next wait.
    #[inline]
    pub fn send(&mut self, listener: &Listener) {
        let mut answered = core::mem::take(&mut self.answered);
        while answered != 0 {
            let place = answered.trailing_zeros() as usize;
            answered &= answered - 1;
            if let Some(Some(slot)) = self.slots.get_mut(place) {
                slot.port.send(listener);
            }
        }
    }

    /// One is over: its client is answered, if it is still there.
    #[inline]
    pub(super) fn finish(&mut self, over: Over) {
        let Some(job) = self.pending.remove(over.tag) else { return };
        self.answer(job.place, job.serial, job.request.id, over.status, over.detail);
    }

    fn answer(&mut self, place: usize, serial: u64, id: u32, status: Status, detail: u32) {
        let Some(slot) = self.slot(place, serial) else { return };
        let answered = slot.port.complete(&Completion { id, status, detail });
        self.answered |= Bits::ring(place);
        // There is room for it: its client may ask for more.
        self.awake |= Bits::ring(place);
        if answered.is_err() {
            self.close(place, serial);
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.pending.room() > 0 && self.backlog.is_empty()
    }

    /// Takes requests of one session. Whether there were any.
    fn take_from<D: Disk>(&mut self, disk: &mut D, place: usize, now: u64) -> bool {
        if !self.has_room() {
            return false;
        }
        let most = self.pending.room().min(BATCH);
        let Some(Some(slot)) = self.slots.get_mut(place) else {
            self.awake &= !Bits::ring(place);
            return false;
        };
        let serial = slot.serial;
        let taken = slot.port.take(self.batch.get_mut(..most).unwrap_or_default());
        let count = match taken {
            Ok(0) => return self.doze(place, serial),
            Ok(count) => count,
            Err(_) => {
                self.close(place, serial);
                return false;
            }
        };
        self.answered |= Bits::ring(place);
        for n in 0..count {
            let Some(entry) = self.batch.get(n).copied() else { break };
            self.ask(disk, place, serial, &entry, now);
        }
        true
    }

    /// A session has nothing now: it is looked at again when it rings. Never something done.
    fn doze(&mut self, place: usize, serial: u64) -> bool {
        let dozes = self.slot(place, serial).map(|slot| slot.port.may_sleep());
        match dozes {
            Some(Ok(false)) => {}
            Some(Err(End::Gone | End::Fault(_) | End::Call(_))) => self.close(place, serial),
            Some(Ok(true)) | None => self.awake &= !Bits::ring(place),
        }
        false
    }

    /// One entry of a session's queue.
    #[inline]
    fn ask<D: Disk>(&mut self, disk: &mut D, place: usize, serial: u64, entry: &[u64; WORDS], now: u64) {
        match self.job(place, serial, entry) {
            Ok(job) => match self.pending.insert(job) {
                Ok(tag) => {
                    if !self.hand_over(disk, tag, now) {
                        self.backlog.push_back(tag);
                    }
                }
                // There was room: see `take_from`.
                Err(job) => self.answer(place, serial, job.request.id, Status::Device, 0),
            },
            Err((id, status)) => self.answer(place, serial, id, status, 0),
        }
    }

    /// What it asks, if it may.
    #[inline]
    fn job(&mut self, place: usize, serial: u64, entry: &[u64; WORDS]) -> Result<Job, (u32, Status)> {
        let request = Request::decode(entry)?;
        let wrong = |status| (request.id, status);
        let slot = self.slot(place, serial).ok_or(wrong(Status::Gone))?;
        let memory = if request.operation.has_data() { slot.buffers.get(request.buffer) } else { None };
        let extent = slot.extent;
        extent.geometry.check(&request, memory.map_or(0, |memory| memory.size())).map_err(wrong)?;
        let memory = memory.map(Rc::clone);
        let request = Request { first: request.first.wrapping_add(extent.first), ..request };
        Ok(Job { place, serial, disk: extent.disk, request, memory })
    }

    /// Gives it to the device. False when that has no room now.
    #[inline]
    fn hand_over<D: Disk>(&mut self, disk: &mut D, tag: Tag, now: u64) -> bool {
        let Some(job) = self.pending.get(tag) else { return true };
        let token = job.memory.as_ref().map_or(0, |memory| memory.token());
        let token = token.wrapping_add(job.request.offset.into());
        match disk.submit(tag, job.disk, &job.request, token, now) {
            Ok(()) => true,
            Err(Refusal::Busy) => false,
            Err(Refusal::Over(status)) => {
                self.finish(Over { tag, status, detail: 0 });
                true
            }
        }
    }
}
