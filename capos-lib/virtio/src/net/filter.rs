//! What is to be received (virtio 1.2, 5.1.6.5.1, 5.1.6.5.2).

use super::shape::{Mac, is_station};
use crate::split::Memory;

/// Addresses of stations, and of groups, that are told to the device; devices have room for 64 of both.
const STATIONS: usize = 16;
const GROUPS: usize = 48;

/// What is to be received besides broadcasts and what is for the adapter's own address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filter {
    is_promiscuous: bool,
    has_all_groups: bool,
    stations: Table<STATIONS>,
    groups: Table<GROUPS>,
}

/// The first so many of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Table<const N: usize> {
    count: usize,
    addresses: [Mac; N],
}

impl<const N: usize> Table<N> {
    const EMPTY: Table<N> = Table { count: 0, addresses: [[0; 6]; N] };
    /// A count, and the addresses.
    const BYTES: u32 = 4 + 6 * N as u32;

    fn insert(&mut self, address: Mac) -> bool {
        let place = self.addresses.get_mut(self.count);
        self.count += usize::from(place.is_some());
        place.map(|place| *place = address).is_some()
    }

    fn bytes(&self) -> u32 {
        4 + 6 * self.count as u32
    }

    /// Writes it at `at`, a multiple of 4.
    fn write<A: Memory>(&self, area: &A, at: u32) {
        area.write32(at, self.count as u32);
        for (at, address) in (at + 4..).step_by(6).zip(self.addresses.iter().take(self.count)) {
            let [a, b, c, d, e, f] = *address;
            for (at, pair) in [(at, [a, b]), (at + 2, [c, d]), (at + 4, [e, f])] {
                area.write16(at, u16::from_le_bytes(pair));
            }
        }
    }
}

/// Bytes of both tables.
pub(super) const TABLES_BYTES: u32 = GROUPS_AT + Table::<GROUPS>::BYTES;
const GROUPS_AT: u32 = Table::<STATIONS>::BYTES.next_multiple_of(4);

impl Filter {
    /// Nothing besides.
    pub const NOTHING: Filter =
        Filter { is_promiscuous: false, has_all_groups: false, stations: Table::EMPTY, groups: Table::EMPTY };

    /// Everything.
    pub const EVERYTHING: Filter = Filter { is_promiscuous: true, ..Filter::NOTHING };

    /// What is for any group.
    pub const ALL_GROUPS: Filter = Filter { has_all_groups: true, ..Filter::NOTHING };

    /// What is for this address, too: a station's or a group's. When there are too many all are received.
    pub fn insert(&mut self, address: Mac) {
        if is_station(&address) {
            self.is_promiscuous |= !self.stations.insert(address);
        } else {
            self.has_all_groups |= !self.groups.insert(address);
        }
    }

    pub(super) fn insert_all(&mut self) {
        self.is_promiscuous = true;
    }

    pub(super) const fn is_promiscuous(&self) -> bool {
        self.is_promiscuous
    }

    pub(super) const fn has_all_groups(&self) -> bool {
        self.has_all_groups
    }

    /// Writes both tables at `at`, and says where they begin and how long they are.
    pub(super) fn write<A: Memory>(&self, area: &A, at: u32) -> [(u32, u32); 2] {
        self.stations.write(area, at);
        self.groups.write(area, at + GROUPS_AT);
        [(at, self.stations.bytes()), (at + GROUPS_AT, self.groups.bytes())]
    }
}
