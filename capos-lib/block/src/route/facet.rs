//! What part of a disk somebody may use, and how. A facet of a facet is never more than that.

use crate::Geometry;

/// Some sectors of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facet {
    disk: u16,
    first: u64,
    sectors: u64,
    read_only: bool,
}

impl Facet {
    /// All of the disk of that number.
    pub const fn whole(number: u16, disk: &Geometry) -> Facet {
        Facet { disk: number, first: 0, sectors: disk.sectors, read_only: disk.read_only }
    }

    /// The disk's number.
    pub const fn disk(&self) -> usize {
        self.disk as usize
    }

    /// Some of the sectors; `None` when they are not all inside, or none.
    pub fn part(&self, first: u64, sectors: u64) -> Option<Facet> {
        let end = first.checked_add(sectors)?;
        let (absolute, is_some) = (self.first.checked_add(first)?, sectors > 0);
        (is_some && end <= self.sectors).then_some(Facet { first: absolute, sectors, ..*self })
    }

    /// The same, to be read only.
    pub const fn read_only(self) -> Facet {
        Facet { read_only: true, ..self }
    }

    /// Whether some sectors are in both.
    pub const fn overlaps(&self, other: &Facet) -> bool {
        let ends = (self.first.saturating_add(self.sectors), other.first.saturating_add(other.sectors));
        self.disk == other.disk && self.first < ends.1 && other.first < ends.0
    }

    /// Where it begins on the disk.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// What the disk is like to who has this.
    pub const fn geometry(&self, disk: &Geometry) -> Geometry {
        Geometry { sectors: self.sectors, read_only: self.read_only || disk.read_only, ..*disk }
    }

    pub(super) const fn place(&self) -> (u16, u64) {
        (self.disk, self.first)
    }

    /// Whether the disk has all of it.
    pub fn is_of(&self, disk: &Geometry) -> bool {
        self.first.checked_add(self.sectors).is_some_and(|end| end <= disk.sectors)
    }
}
