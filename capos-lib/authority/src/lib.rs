//! Who may do what, as a plain list: a model to compare capability tables, transfers and revocation with.
//!
//! It knows nothing of tables or trees. For each capability it keeps the set of all that it ever derived from, each by a number that is
//! never used again; so what a revocation has to take is whatever has the revoked one in its set. That makes it slow and hard to get wrong.
#![no_std]

extern crate alloc;

#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use capos_abi::CapId;

/// One capability: who holds it, and under which id.
pub type Place = (u32, CapId);

/// One capability as the model knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held<T> {
    /// What it stands for.
    pub what: T,
    serial: u64,
    /// What it derives from; ascending, as who is derived later has a higher number.
    ancestors: Vec<u64>,
}

impl<T> Held<T> {
    /// Its own number, which no other capability ever has.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether it derives from the capability of that number.
    pub fn derives_from(&self, serial: u64) -> bool {
        self.ancestors.binary_search(&serial).is_ok()
    }
}

/// Whether a capability was there before under that id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Entered {
    /// No: all is well.
    Well,
    /// Yes: one id would name two things.
    Twice,
}

/// Everything that anybody holds.
#[derive(Clone, Default, Debug)]
pub struct Model<T> {
    held: BTreeMap<Place, Held<T>>,
    last: u64,
}

impl<T> Model<T> {
    /// Nobody holds anything.
    pub const fn new() -> Self {
        Model { held: BTreeMap::new(), last: 0 }
    }

    fn serial(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn enter(&mut self, at: Place, held: Held<T>) -> Entered {
        if self.held.insert(at, held).is_none() { Entered::Well } else { Entered::Twice }
    }

    /// Somebody holds something that derives from nothing.
    pub fn make(&mut self, at: Place, what: T) -> Entered {
        let serial = self.serial();
        self.enter(at, Held { what, serial, ancestors: Vec::new() })
    }

    /// A capability for `what` was made from that at `from`. False when there is none there.
    pub fn derive(&mut self, from: Place, at: Place, what: T) -> Option<Entered> {
        let parent = self.held.get(&from)?;
        let mut ancestors = Vec::with_capacity(parent.ancestors.len() + 1);
        ancestors.extend_from_slice(&parent.ancestors);
        ancestors.push(parent.serial);
        let serial = self.serial();
        Some(self.enter(at, Held { what, serial, ancestors }))
    }

    /// The capability at `from` is at `at` now.
    pub fn moved(&mut self, from: Place, at: Place) -> Option<Entered> {
        let held = self.held.remove(&from)?;
        Some(self.enter(at, held))
    }

    /// A capability is gone. What derives from it stays.
    pub fn release(&mut self, at: Place) -> Option<Held<T>> {
        self.held.remove(&at)
    }

    /// Whatever derives from the capability at `at` goes, and that stays. Gives how many have gone.
    pub fn revoke(&mut self, at: Place) -> Option<usize> {
        let (root, before) = (self.held.get(&at)?.serial, self.held.len());
        self.held.retain(|_, held| !held.derives_from(root));
        Some(before - self.held.len())
    }

    /// A holder has ended.
    pub fn end(&mut self, holder: u32) {
        self.held.retain(|(of, _), _| *of != holder);
    }

    /// What somebody holds under an id.
    pub fn get(&self, at: Place) -> Option<&Held<T>> {
        self.held.get(&at)
    }

    /// Everything that somebody holds, by ids.
    pub fn of(&self, holder: u32) -> impl Iterator<Item = (CapId, &Held<T>)> {
        let all = self.held.range((holder, CapId::NULL)..(holder + 1, CapId::NULL));
        all.map(|((_, id), held)| (*id, held))
    }

    /// Everything.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &Held<T>)> {
        self.held.iter().map(|(at, held)| (*at, held))
    }

    /// How many capabilities there are.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
