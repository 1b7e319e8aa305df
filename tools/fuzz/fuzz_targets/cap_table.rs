//! Two capability tables and transfers between them, against maps from id to object. Input: operations and their operands.
#![no_main]

use capos_abi::{CapId, TransferMode, TransferSlot};
use capos_cap::{Entry, Mobility, Table, transfer, transfer_within};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};

const INTERFACE: u64 = 7;
const LIMIT: usize = 10;

/// A table, and what should be in it.
struct Side {
    table: Table<u32>,
    model: BTreeMap<CapId, (u32, Mobility)>,
    /// Every id that was ever given out: none may come again.
    given: BTreeSet<CapId>,
}

impl Side {
    fn new(limit: usize) -> Side {
        Side { table: Table::new(limit), model: BTreeMap::new(), given: BTreeSet::new() }
    }

    fn came(&mut self, id: CapId, object: u32, mobility: Mobility) {
        assert!(self.given.insert(id), "{id:?} was given out twice");
        self.model.insert(id, (object, mobility));
    }

    fn check(&self) {
        let listed: BTreeMap<_, _> =
            self.table.iter().map(|(id, entry)| (id, (entry.object, entry.mobility))).collect();
        assert_eq!(listed, self.model);
        assert!(self.table.len() == self.model.len() && self.table.len() <= self.table.limit());
    }

    /// Some id: one that is there, one that was, or any.
    fn pick(&self, input: &mut Unstructured<'_>) -> Result<CapId> {
        let set: Vec<CapId> = match input.int_in_range(0..=3)? {
            0 | 1 => self.model.keys().copied().collect(),
            2 => self.given.iter().copied().collect(),
            _ => Vec::new(),
        };
        if set.is_empty() { Ok(CapId::from_raw(input.arbitrary()?)) } else { input.choose(&set).copied() }
    }
}

fuzz_target!(|bytes: &[u8]| {
    // Ends when the input does.
    let _ = play(&mut Unstructured::new(bytes));
});

fn play(input: &mut Unstructured<'_>) -> Result<()> {
    let mut sides = [Side::new(input.int_in_range(0..=LIMIT)?), Side::new(input.int_in_range(0..=LIMIT)?)];
    let mut objects = 0;
    while !input.is_empty() {
        let [left, right] = &mut sides;
        let (side, other) = if input.arbitrary()? { (left, right) } else { (right, left) };
        match input.int_in_range(0..=5)? {
            0 | 1 => insert(side, &mut objects, input)?,
            2 => {
                let id = side.pick(input)?;
                let released = side.table.release(id).ok().map(|entry| (entry.object, entry.mobility));
                assert_eq!(released, side.model.remove(&id));
            }
            3 => {
                let more = input.int_in_range(0..=2 * LIMIT)?;
                assert_eq!(side.table.reserve(more).is_ok(), side.model.len() + more <= side.table.limit());
            }
            4 => send(side, Some(other), input)?,
            _ => send(side, None, input)?,
        }
        sides.iter().for_each(Side::check);
    }
    Ok(())
}

fn insert(side: &mut Side, objects: &mut u32, input: &mut Unstructured<'_>) -> Result<()> {
    let mobility = *input.choose(&[Mobility::Free, Mobility::Free, Mobility::MoveOnly, Mobility::Fixed])?;
    *objects += 1;
    let entry = Entry { object: *objects, interface: INTERFACE, mobility, node: None };
    match side.table.insert(entry) {
        Ok(id) => side.came(id, *objects, mobility),
        Err(_) => assert_eq!(side.model.len(), side.table.limit()),
    }
    Ok(())
}

/// Sends some slots to the other side, or from a table to itself. All or nothing.
fn send(side: &mut Side, other: Option<&mut Side>, input: &mut Unstructured<'_>) -> Result<()> {
    let mut slots = Vec::new();
    for _ in 0..input.int_in_range(0..=5)? {
        let id = side.pick(input)?;
        slots.push(match input.int_in_range(0..=4)? {
            0 | 1 => TransferSlot::copy(id),
            2 | 3 => TransferSlot::moved(id),
            _ => TransferSlot(input.arbitrary()?),
        });
    }
    let expected = expectation(side, &slots);
    let mut ids = [CapId::NULL; 4];
    let result = match other {
        Some(other) => {
            let room = other.table.limit() - other.model.len();
            let result = transfer(&mut side.table, &mut other.table, &slots, &mut (), &mut ids);
            assert_eq!(result.is_ok(), expected.is_some() && slots.len() <= ids.len() && slots.len() <= room);
            (result, other)
        }
        None => {
            let room = side.table.limit() - side.model.len();
            let result = transfer_within(&mut side.table, &slots, &mut (), &mut ids);
            // Moves within a full table could be let through; refusing them is what the table promises.
            assert_eq!(result.is_ok(), expected.is_some() && slots.len() <= ids.len() && slots.len() <= room);
            if let (Ok(count), Some(list)) = (result, expected) {
                settle(side, &slots);
                list.into_iter()
                    .zip(&ids[..count])
                    .for_each(|((object, mobility), id)| side.came(*id, object, mobility));
            }
            return Ok(());
        }
    };
    if let ((Ok(count), other), Some(list)) = (result, expected) {
        settle(side, &slots);
        list.into_iter()
            .zip(&ids[..count])
            .for_each(|((object, mobility), id)| other.came(*id, object, mobility));
    }
    Ok(())
}

/// What should arrive, or nothing when some slot must be refused.
fn expectation(side: &Side, slots: &[TransferSlot]) -> Option<Vec<(u32, Mobility)>> {
    let mut moved = BTreeSet::new();
    let mut copied = BTreeSet::new();
    let mut list = Vec::new();
    for slot in slots {
        let (object, mobility) = *side.model.get(&slot.id())?;
        let fresh = match slot.mode()? {
            TransferMode::Copy => {
                copied.insert(slot.id());
                mobility == Mobility::Free && !moved.contains(&slot.id())
            }
            TransferMode::Move => {
                mobility != Mobility::Fixed && !copied.contains(&slot.id()) && moved.insert(slot.id())
            }
        };
        if !fresh {
            return None;
        }
        list.push((object, mobility));
    }
    Some(list)
}

/// What moved away is gone from the model.
fn settle(side: &mut Side, slots: &[TransferSlot]) {
    for slot in slots.iter().filter(|slot| slot.mode() == Some(TransferMode::Move)) {
        side.model.remove(&slot.id());
    }
}
