//! What must come of a step, and whether everybody holds what they ought to.

use crate::words::{MOST, PLAYERS};
use alloc::vec::Vec;
use capos_authority::{Entered, Model};
use probe::mutate::Rng;
use rt::abi::{TransferMode, TransferSlot};
use rt::{CapId, TransportError};

/// What a capability of the game stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thing {
    /// In its first word.
    pub number: u64,
    pub writable: bool,
}

/// Something that ought not to be: what, and where it was seen.
#[derive(Debug)]
pub struct Wrong {
    pub what: &'static str,
    pub found: u64,
    pub wanted: u64,
}

/// Fails unless both are the same.
pub fn same(what: &'static str, found: u64, wanted: u64) -> Result<(), Wrong> {
    if found == wanted { Ok(()) } else { Err(Wrong { what, found, wanted }) }
}

/// A transport error as an outcome.
pub fn refused(error: TransportError) -> u64 {
    i64::from(error.code()).cast_unsigned()
}

/// Ids seen lately, stale ones among them.
const RECENT: usize = 64;

pub struct Judge {
    pub rng: Rng,
    pub model: Model<Thing>,
    recent: [CapId; RECENT],
    next: usize,
}

impl Judge {
    pub fn new(seed: u64) -> Self {
        Judge { rng: Rng::new(seed), model: Model::new(), recent: [CapId::NULL; RECENT], next: 0 }
    }

    pub fn player(&mut self) -> u32 {
        self.rng.below(PLAYERS)
    }

    pub fn held_by(&self, player: u32) -> u64 {
        self.model.of(player).count() as u64
    }

    /// An id for `player` to use: mostly one that it has, now and then a stale one or another's.
    pub fn pick(&mut self, player: u32, is_own: impl Fn(CapId) -> bool) -> CapId {
        let held = self.held_by(player) as u32;
        if held == 0 || self.rng.chance(1, 10) {
            let id = self.rng.pick(&self.recent).unwrap_or(CapId::NULL);
            return if is_own(id) { CapId::NULL } else { id };
        }
        let nth = self.rng.below(held) as usize;
        self.model.of(player).nth(nth).map_or(CapId::NULL, |(id, _)| id)
    }

    pub fn slots(&mut self, player: u32, is_own: impl Fn(CapId) -> bool) -> Vec<TransferSlot> {
        let count = self.rng.below(MOST as u32 + 1);
        (0..count)
            .map(|_| {
                let id = self.pick(player, &is_own);
                if self.rng.chance(2, 5) { TransferSlot::moved(id) } else { TransferSlot::copy(id) }
            })
            .collect()
    }

    /// Whether such a list may leave a player: all is there, and what moves is named once.
    pub fn may_leave(&self, player: u32, list: &[TransferSlot]) -> bool {
        list.iter().enumerate().all(|(n, slot)| {
            let moves = |slot: &TransferSlot| slot.mode() == Some(TransferMode::Move);
            let again = |other: &TransferSlot| other.id() == slot.id() && (moves(other) || moves(slot));
            let earlier = list.get(..n).unwrap_or_default();
            self.model.get((player, slot.id())).is_some() && !earlier.iter().any(again)
        })
    }

    /// Writes down that something is where nothing was.
    pub fn entered(&mut self, id: CapId, entered: Option<Entered>) -> Result<(), Wrong> {
        self.next = (self.next + 1) % RECENT;
        if let Some(place) = self.recent.get_mut(self.next) {
            *place = id;
        }
        same("an id names one thing", u64::from(entered != Some(Entered::Well)), 0)
    }

    /// Writes a transfer down that has happened.
    pub fn arrived(&mut self, from: u32, to: u32, list: &[TransferSlot], ids: &[u64]) -> Result<(), Wrong> {
        same("as many arrive as were sent", ids.len() as u64, list.len() as u64)?;
        for (slot, id) in list.iter().zip(ids) {
            let (source, id) = ((from, slot.id()), CapId::from_raw(*id));
            let entered = if slot.mode() == Some(TransferMode::Move) {
                self.model.moved(source, (to, id))
            } else {
                let what = self.model.get(source).map(|held| held.what);
                what.and_then(|what| self.model.derive(source, (to, id), what))
            };
            self.entered(id, entered)?;
        }
        Ok(())
    }
}
