//! The queues of all clients.

use super::Place;
use crate::block::End;
use crate::block::engine::Bits;
use crate::port::Port;
use capos_block::route::{Clients, SessionId};
use capos_block::{Completion, WORDS};
use rt::listener::Listener;

/// A session.
struct Slot {
    port: Port,
    disk: usize,
    serial: u64,
}

/// Sessions by their numbers, and sets of them.
pub struct Ports {
    slots: [Option<Slot>; Bits::SESSIONS],
    /// There is such a session.
    there: u64,
    /// May have asked for something since they were looked at: some of those that are there.
    awake: u64,
    /// Have something to hear of: answers, or room for requests.
    answered: u64,
    /// Broke the rules of queues.
    broken: u64,
    /// Places whose doorbell somebody has: that it is lost is still to be heard, and to be taken for nobody else's.
    out: u64,
    next_serial: u64,
}

const fn bit(id: SessionId) -> u64 {
    1 << id.index()
}

impl Ports {
    pub const SESSIONS: u16 = Bits::SESSIONS as u16;

    pub fn new() -> Ports {
        let slots = [const { None }; Bits::SESSIONS];
        Ports { slots, there: 0, awake: 0, answered: 0, broken: 0, out: 0, next_serial: 1 }
    }

    /// Gives the session's serial.
    pub fn open(&mut self, id: SessionId, port: Port, disk: usize) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        if let Some(place) = self.slots.get_mut(id.index()) {
            *place = Some(Slot { port, disk, serial });
        }
        self.there |= bit(id);
        self.awake |= bit(id);
        self.broken &= !bit(id);
        serial
    }

    /// Whose places nobody else may have.
    pub fn out(&self) -> u64 {
        self.out
    }

    pub fn gave_doorbell(&mut self, id: SessionId) {
        self.out |= bit(id);
    }

    /// That these are lost was heard.
    pub fn lost_doorbells(&mut self, lost: u64) {
        self.out &= !lost;
    }

    pub fn close(&mut self, id: SessionId) {
        if let Some(place) = self.slots.get_mut(id.index()) {
            *place = None;
        }
        self.there &= !bit(id);
        self.awake &= !bit(id);
        self.broken &= !bit(id);
    }

    pub fn close_all(&mut self) {
        self.slots.fill_with(|| None);
        (self.there, self.awake) = (0, 0);
    }

    /// The disk of a session that is there.
    pub fn disk(&self, place: Place) -> Option<usize> {
        let slot = self.slots.get(place.id.index())?.as_ref()?;
        (slot.serial == place.serial).then_some(slot.disk)
    }

    /// The session that is in a place.
    pub fn at(&self, place: usize) -> Option<u64> {
        Some(self.slots.get(place)?.as_ref()?.serial)
    }

    pub fn awake(&self) -> u64 {
        self.awake
    }

    pub fn wake(&mut self, sessions: u64) {
        self.awake |= sessions & self.there;
    }

    pub fn wake_all(&mut self) {
        self.awake = self.there;
    }

    /// Takes those that broke the rules.
    pub fn broken(&mut self) -> u64 {
        core::mem::take(&mut self.broken)
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

    /// The next requests. Whoever has none rings when there is one, and is not looked at until then.
    #[inline]
    fn next(&mut self, id: SessionId, out: &mut [[u64; WORDS]]) -> Result<usize, End> {
        let Some(Some(slot)) = self.slots.get_mut(id.index()) else {
            self.awake &= !bit(id);
            return Ok(0);
        };
        loop {
            let count = slot.port.take(out)?;
            if slot.port.owes() {
                self.answered |= bit(id);
            }
            if count < out.len() && slot.port.may_sleep()? {
                self.awake &= !bit(id);
                return Ok(count);
            }
            if count > 0 {
                return Ok(count);
            }
        }
    }
}

impl Clients for Ports {
    #[inline]
    fn fetch(&mut self, id: SessionId, out: &mut [[u64; WORDS]]) -> usize {
        self.next(id, out).unwrap_or_else(|_| {
            self.broken |= bit(id);
            self.awake &= !bit(id);
            0
        })
    }

    #[inline]
    fn answer(&mut self, id: SessionId, completion: Completion) {
        let Some(Some(slot)) = self.slots.get_mut(id.index()) else { return };
        match slot.port.complete(&completion.encode()) {
            Ok(true) => self.awake |= bit(id),
            // If it asks for more meanwhile it rings.
            Ok(false) => {}
            Err(_) => self.broken |= bit(id),
        }
        self.answered |= bit(id);
    }
}
