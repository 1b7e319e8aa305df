//! Tables, transfers and the derivation tree together, against a model that is nothing but a list of who holds what.
//!
//! Whatever is granted, sent, attenuated, released, revoked and killed in whatever order: authority never comes from nowhere, never gets lost
//! and never doubles (architecture section 4).

use crate::derivation::forest::{Forest, Sending};
use crate::derivation::{Next, NodeId, Place, TreeError};
use crate::table::{Entry, Mobility, Table};
use crate::transfer::{TransferError, transfer, transfer_within};
use capos_abi::{CapId, TransferMode, TransferSlot};
use capos_authority::{Entered, Model};
use capos_mutate::Rng;
use proptest::prelude::{ProptestConfig, any, proptest};
use std::vec;
use std::vec::Vec;

const PROCESSES: usize = 4;
const LIMIT: usize = 12;
/// Enough for what can be alive, dead and to spare at a time.
const NODES: u32 = 4 * (PROCESSES * LIMIT) as u32;
/// A million in all.
const STEPS: usize = if cfg!(miri) { 60 } else { 100_000 };

/// A generator of arbitrary choices; the seed repeats a run.
struct Choices(Rng);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }
}

/// What the model knows of a capability.
#[derive(Clone, Copy)]
struct Thing {
    object: u32,
    mobility: Mobility,
}

type Held = capos_authority::Held<Thing>;

struct World {
    tables: Vec<Table<u32>>,
    forest: Forest,
    /// Unfinished revocations: who revokes what.
    revoking: Vec<(usize, CapId)>,
    model: Model<Thing>,
    /// Ids seen so far, dead ones included.
    seen: Vec<CapId>,
    /// Number of the newest object.
    next: u32,
}

impl World {
    fn new() -> Self {
        let tables = (0..PROCESSES).map(|_| Table::new(LIMIT)).collect();
        World {
            tables,
            forest: Forest::new(NODES),
            revoking: Vec::new(),
            model: Model::new(),
            seen: vec![CapId::NULL],
            next: 0,
        }
    }

    fn object(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn held_by(&self, process: usize) -> usize {
        self.model.of(process as u32).count()
    }

    fn held(&self, process: usize, id: CapId) -> Option<&Held> {
        self.model.get((process as u32, id))
    }

    fn note(&mut self, id: CapId, entered: Option<Entered>) {
        assert_eq!(entered, Some(Entered::Well), "an id names two things");
        self.seen.push(id);
    }

    /// An id: mostly one that the process holds, sometimes a stale or a foreign one.
    fn pick(&mut self, choices: &mut Choices, process: usize) -> CapId {
        let own: Vec<CapId> = self.model.of(process as u32).map(|(id, _)| id).collect();
        if own.is_empty() || choices.below(8) == 0 {
            let recent = &self.seen[self.seen.len().saturating_sub(50)..];
            return recent[choices.below(recent.len())];
        }
        own[choices.below(own.len())]
    }

    /// The kernel hands a new object to a process.
    fn grant(&mut self, choices: &mut Choices) {
        let process = choices.below(PROCESSES);
        let mobility =
            [Mobility::Free, Mobility::Free, Mobility::MoveOnly, Mobility::CopyOnly, Mobility::Fixed]
                [choices.below(5)];
        let object = self.object();
        match self.tables[process].insert(Entry { object, interface: 1, mobility, node: None }) {
            Ok(id) => {
                let node = self.forest.root(Place { table: process as u64, cap: id });
                self.tables[process].set_node(id, Some(node));
                let entered = self.model.make((process as u32, id), Thing { object, mobility });
                self.note(id, Some(entered));
            }
            Err(_) => assert_eq!(self.held_by(process), LIMIT),
        }
    }

    /// A process makes a facet of what it holds: another object that allows less.
    fn attenuate(&mut self, choices: &mut Choices) {
        let process = choices.below(PROCESSES);
        let whole = self.pick(choices, process);
        let parent = self.tables[process].lookup(whole).ok().and_then(|entry| entry.node);
        let Some(held) = self.held(process, whole) else {
            return assert_eq!(parent, None, "authority from nowhere");
        };
        let parent = parent.expect("tracked");
        let doomed = self.is_doomed(held);
        if self.held_by(process) == LIMIT {
            return;
        }
        let thing = Thing { object: self.object(), mobility: Mobility::Free };
        let facet = Entry { object: thing.object, interface: 1, mobility: thing.mobility, node: None };
        let id = self.tables[process].insert(facet).expect("there is room");
        let made = self.forest.derive(parent, Place { table: process as u64, cap: id });
        assert_eq!(made.err(), doomed.then_some(TreeError::Revoking));
        let Ok(node) = made else {
            return drop(self.tables[process].release(id));
        };
        self.tables[process].set_node(id, Some(node));
        let holder = process as u32;
        let entered = self.model.derive((holder, whole), (holder, id), thing);
        self.note(id, entered);
    }

    /// Whether it, or what it derives from, is being revoked.
    fn is_doomed(&self, held: &Held) -> bool {
        let mut roots = self.revoking.iter().filter_map(|(process, id)| self.held(*process, *id));
        roots.any(|root| root.serial() == held.serial() || held.derives_from(root.serial()))
    }

    /// What a transfer must come to.
    fn expected(&self, from: usize, to: usize, slots: &[TransferSlot]) -> Result<(), TransferError> {
        for (n, slot) in slots.iter().enumerate() {
            let mode = slot.mode().ok_or(TransferError::BadSlot)?;
            let held = self.held(from, slot.id()).ok_or(TransferError::InvalidCap)?;
            match (held.what.mobility, mode) {
                (Mobility::Free, _)
                | (Mobility::MoveOnly, TransferMode::Move)
                | (Mobility::CopyOnly, TransferMode::Copy) => {}
                _ => return Err(TransferError::NotTransferable),
            }
            let moves =
                |other: &TransferSlot| mode == TransferMode::Move || other.mode() == Some(TransferMode::Move);
            if slots[..n].iter().any(|other| other.id() == slot.id() && moves(other)) {
                return Err(TransferError::Duplicate);
            }
            if self.is_doomed(held) {
                return Err(TransferError::Revoking);
            }
        }
        if self.held_by(to) + slots.len() > LIMIT { Err(TransferError::DestinationFull) } else { Ok(()) }
    }

    fn send(&mut self, choices: &mut Choices) {
        let (from, to) = (choices.below(PROCESSES), choices.below(PROCESSES));
        let slots: Vec<TransferSlot> = (0..choices.below(4)).map(|_| self.slot(choices, from)).collect();
        let expected = self.expected(from, to, &slots);
        let mut ids = [CapId::NULL; 4];
        let mut family = Sending::to(&mut self.forest, to as u64);
        let result = match self.tables.get_disjoint_mut([from, to]) {
            Ok([source, destination]) => transfer(source, destination, &slots, &mut family, &mut ids),
            Err(_) => transfer_within(&mut self.tables[from], &slots, &mut family, &mut ids),
        };
        drop(family);
        assert_eq!(result, expected.map(|()| slots.len()));
        if result.is_ok() {
            self.sent(from, to, &slots, &ids);
        }
    }

    fn slot(&mut self, choices: &mut Choices, from: usize) -> TransferSlot {
        let id = self.pick(choices, from);
        match choices.below(20) {
            0 => TransferSlot(id.raw() | 9 << 56),
            1..8 => TransferSlot::moved(id),
            _ => TransferSlot::copy(id),
        }
    }

    /// Writes a transfer down that happened.
    fn sent(&mut self, from: usize, to: usize, slots: &[TransferSlot], ids: &[CapId]) {
        for (slot, id) in slots.iter().zip(ids) {
            let (source, place) = ((from as u32, slot.id()), (to as u32, *id));
            let entered = if slot.mode() == Some(TransferMode::Move) {
                self.revoking.retain(|other| *other != (from, slot.id()));
                self.model.moved(source, place)
            } else {
                let what = self.model.get(source).expect("it is there").what;
                self.model.derive(source, place, what)
            };
            self.note(*id, entered);
        }
    }

    fn release(&mut self, choices: &mut Choices) {
        let process = choices.below(PROCESSES);
        let id = self.pick(choices, process);
        let released = self.tables[process].release(id).ok();
        let expected = self.model.release((process as u32, id));
        assert_eq!(released.as_ref().map(|entry| entry.object), expected.map(|held| held.what.object));
        if let Some(entry) = released {
            self.revoking.retain(|other| *other != (process, id));
            self.forest.left(&mut self.tables[process], id, entry.node.expect("tracked"));
        }
    }

    /// A process begins a revocation, which goes on with [`World::go_on`].
    fn revoke(&mut self, choices: &mut Choices) {
        let process = choices.below(PROCESSES);
        let id = self.pick(choices, process);
        let Ok(entry) = self.tables[process].lookup(id) else { return };
        let begun = self.forest.begin(entry.node.expect("tracked"));
        assert_eq!(begun, !self.revoking.contains(&(process, id)));
        if begun {
            self.revoking.push((process, id));
        }
    }

    /// A few steps of a revocation, or its abandonment.
    fn go_on(&mut self, choices: &mut Choices) {
        if self.revoking.is_empty() {
            return;
        }
        let key = self.revoking[choices.below(self.revoking.len())];
        let root = self.tables[key.0].lookup(key.1).expect("held").node.expect("tracked");
        let serial = self.held(key.0, key.1).expect("held").serial();
        if choices.below(30) == 0 {
            self.revoking.retain(|other| *other != key);
            return self.forest.end(root);
        }
        for _ in 0..1 + choices.below(6) {
            match self.forest.revoke(root) {
                Next::Kill { place, node } => self.kill_one(place, node, serial),
                Next::Look(_) => {}
                Next::Done => {
                    let left = self.model.iter().any(|(_, held)| held.derives_from(serial));
                    assert!(!left, "a descendant survived");
                    self.forest.end(root);
                    return self.revoking.retain(|other| *other != key);
                }
            }
        }
    }

    fn kill_one(&mut self, place: Place, node: NodeId, root: u64) {
        let key = (place.table as usize, place.cap);
        assert!(self.forest.kill(&mut self.tables[key.0], place, node), "the victim is where the tree says");
        let held = self.model.release((key.0 as u32, key.1)).expect("the model has it, too");
        assert!(held.derives_from(root), "not a descendant");
        self.revoking.retain(|other| *other != key);
    }

    /// A process ends, and another one gets its place.
    fn kill(&mut self, choices: &mut Choices) {
        let process = choices.below(PROCESSES);
        while let Some(entry) = self.tables[process].dismantle(|node| self.forest.spared(node)) {
            self.forest.released(entry.node.expect("tracked"));
        }
        self.revoking.retain(|(holder, _)| *holder != process);
        self.tables[process] = Table::new(LIMIT);
        self.model.end(process as u32);
    }

    /// Tables, tree and model agree about everything.
    fn audit(&self) {
        let mut seen = 0;
        for (process, table) in self.tables.iter().enumerate() {
            for (id, entry) in table.iter() {
                let thing = self.held(process, id).expect("authority from nowhere").what;
                assert_eq!((thing.object, thing.mobility), (entry.object, entry.mobility));
                let place = self.forest.tree().place(entry.node.expect("tracked"));
                assert_eq!(place, Some(Place { table: process as u64, cap: id }));
                seen += 1;
            }
        }
        assert_eq!(seen, self.model.len(), "authority was lost");
        assert!(self.forest.len() <= 2 * seen, "dead nodes pile up");
        assert_eq!(self.forest.revoking, self.revoking.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 10 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn authority_is_neither_made_nor_lost_nor_doubled(seed in any::<u64>()) {
        let mut choices = Choices(Rng::new(seed));
        let mut world = World::new();
        for _ in 0..STEPS {
            match choices.below(100) {
                0..10 => world.grant(&mut choices),
                10..55 => world.send(&mut choices),
                55..65 => world.attenuate(&mut choices),
                65..85 => world.release(&mut choices),
                85..88 => world.revoke(&mut choices),
                88..99 => world.go_on(&mut choices),
                _ => world.kill(&mut choices),
            }
            world.audit();
        }
    }
}
