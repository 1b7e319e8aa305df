//! A change of several records that happens as a whole or not at all.

use alloc::vec::Vec;

use capos_store::{Need, Pointer};

/// Lengths of a key and of its value.
struct Item {
    key: usize,
    value: Option<usize>,
}

/// What an operation changes, collected.
#[derive(Default)]
pub(crate) struct Change {
    /// Keys and values, one after the other.
    bytes: Vec<u8>,
    items: Vec<Item>,
    /// Blocks that nothing points to any more when it is done.
    pub(crate) freed: Vec<Pointer>,
    /// Blocks that were written for it, and that nothing points to when it fails.
    pub(crate) fresh: Vec<Pointer>,
    /// What it does to counters.
    pub(crate) charge: Charge,
    /// And to that of names, whose domain is the directory's: what they lead to may count for another.
    pub(crate) names: Names,
    /// It makes room, and may use what is kept for that.
    pub(crate) removal: bool,
}

/// What a change does to counters.
#[derive(Clone, Copy, Default)]
pub(crate) struct Charge {
    pub(crate) domain: u32,
    pub(crate) blocks: i64,
    pub(crate) objects: i64,
}

/// What a change does to the number of names in the directories and namespaces of a domain.
#[derive(Clone, Copy, Default)]
pub(crate) struct Names {
    pub(crate) domain: u32,
    pub(crate) more: i64,
}

impl Change {
    /// That is charged to a domain.
    pub(crate) fn of(domain: u32, blocks: i64, objects: i64) -> Change {
        Change { charge: Charge { domain, blocks, objects }, ..Change::default() }
    }

    /// Gives a key a value. No key is changed twice.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.items.push(Item { key: key.len(), value: Some(value.len()) });
    }

    /// Takes a key away, if it is there.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.items.push(Item { key: key.len(), value: None });
    }

    /// It changes no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Which room it may use.
    pub(crate) fn need(&self) -> Need {
        if self.removal { Need::Removal } else { Need::Ordinary }
    }

    /// As the volume wants it.
    pub(crate) fn records(&self) -> Vec<capos_store::Change<'_>> {
        let mut rest = self.bytes.as_slice();
        let mut take = |length: usize| {
            let (taken, behind) = rest.split_at_checked(length).unwrap_or_default();
            rest = behind;
            taken
        };
        let item =
            |item: &Item| capos_store::Change { key: take(item.key), value: item.value.map(&mut take) };
        self.items.iter().map(item).collect()
    }
}
