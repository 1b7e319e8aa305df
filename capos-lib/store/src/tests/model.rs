//! Random operations, commits, mounts and snapshots, beside a map that does the same.

use super::disk::{Memory, now};
use crate::{
    BLOCK, Change, Finding, Findings, KEY_MAX, Limits, Need, Pointer, StoreError, VALUE_MAX, View, Volume,
    format,
};
use alloc::collections::BTreeMap;
use alloc::format as text;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

pub const LIMITS: Limits = Limits { nodes: 16, data: 8, dirty: 4096 };

/// A record of the tests: a text, and pointers to blocks of data that are filled with a byte.
pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Records of the tests that begin with this byte hold a pointer and the byte that fills its block.
pub const DATA: u8 = 0xDA;

/// Counts what is wrong.
#[derive(Default)]
pub struct Collected(pub Vec<Finding>);

impl Findings for Collected {
    fn pointers(&mut self, _key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>) {
        if let [DATA, _, rest @ ..] = value {
            pointers.extend(rest.chunks(Pointer::BYTES).filter_map(Pointer::from_bytes));
        }
    }

    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

pub fn check(volume: &Volume<Memory>) -> Vec<Finding> {
    let mut collected = Collected::default();
    now(volume.check(&mut collected, true)).unwrap();
    collected.0
}

pub fn new_volume(blocks: u64) -> Volume<Memory> {
    let disk = Memory::new(blocks);
    now(format(&disk, 1, None)).unwrap();
    mount(disk)
}

pub fn mount(disk: Memory) -> Volume<Memory> {
    now(Volume::mount(disk, LIMITS)).unwrap().0
}

pub fn get(volume: &Volume<Memory>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut value = [0; VALUE_MAX];
    Ok(now(volume.get(key, &mut value))?.map(|length| value[..length].to_vec()))
}

/// What reading all of something, from a key on, gives. Pointers are replaced by the byte that their block is filled with.
pub fn all(
    next: impl Fn(&[u8], &mut [u8], &mut [u8]) -> Result<Option<(usize, usize)>, StoreError>,
    data: impl Fn(&Pointer, &mut [u8]) -> Result<(), StoreError>,
) -> Result<Model, StoreError> {
    let (mut key, mut value) = ([0; KEY_MAX], [0; VALUE_MAX]);
    let (mut from, mut found) = (vec![], Model::new());
    while let Some((key_length, length)) = next(&from, &mut key, &mut value)? {
        let value = &value[..length];
        if let [DATA, fill, rest @ ..] = value {
            let mut block = [0; BLOCK];
            data(&Pointer::from_bytes(rest).unwrap(), &mut block)?;
            assert_eq!(block, [*fill; BLOCK]);
            found.insert(key[..key_length].to_vec(), vec![DATA, *fill]);
        } else {
            found.insert(key[..key_length].to_vec(), value.to_vec());
        }
        from = key[..key_length].to_vec();
        from.push(0);
    }
    Ok(found)
}

pub fn everything(volume: &Volume<Memory>) -> Result<Model, StoreError> {
    all(
        |from, key, value| now(volume.next(from, key, value)),
        |pointer, into| now(volume.read_data(&[*pointer], into)),
    )
}

pub fn everything_in(view: &View<'_, Memory>) -> Result<Model, StoreError> {
    all(
        |from, key, value| now(view.next(from, key, value)),
        |pointer, into| now(view.read_data(&[*pointer], into)),
    )
}

#[derive(Clone, Debug)]
pub enum Step {
    Put(u16, u16),
    Remove(u16),
    Data(u16, u8),
    /// Several keys from one on: put, or removed.
    Batch(u16, bool),
    Commit,
    Settle,
    Abort,
    Mount,
    Snapshot,
    Delete(usize),
    Check,
}

/// Few keys, so that they meet, of very different lengths.
pub fn key(n: u16) -> Vec<u8> {
    let mut key = text!("{:03}", n % 300).into_bytes();
    if n.is_multiple_of(5) {
        key.extend(vec![b'k'; usize::from(n % 300)]);
    }
    key
}

pub fn value(n: u16) -> Vec<u8> {
    vec![b'v'; usize::from(n) % VALUE_MAX]
}

pub fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (any::<u16>(), any::<u16>()).prop_map(|(key, value)| Step::Put(key, value)),
        6 => any::<u16>().prop_map(Step::Remove),
        6 => (any::<u16>(), any::<u8>()).prop_map(|(key, fill)| Step::Data(key, fill)),
        4 => (any::<u16>(), any::<bool>()).prop_map(|(key, put)| Step::Batch(key, put)),
        4 => Just(Step::Commit),
        2 => Just(Step::Settle),
        1 => Just(Step::Abort),
        1 => Just(Step::Mount),
        2 => Just(Step::Snapshot),
        2 => any::<usize>().prop_map(Step::Delete),
        1 => Just(Step::Check),
    ];
    proptest::collection::vec(step, 1..count)
}

/// A volume, and what it should hold.
pub struct Pair {
    pub volume: Volume<Memory>,
    pub model: Model,
    pub committed: Model,
    pub snapshots: BTreeMap<u64, Model>,
}

impl Pair {
    pub fn new(blocks: u64) -> Pair {
        Pair {
            volume: new_volume(blocks),
            model: Model::new(),
            committed: Model::new(),
            snapshots: BTreeMap::new(),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let before = get(&self.volume, key)?;
        now(self.volume.put(key, value))?;
        if let Some([DATA, _, rest @ ..]) = before.as_deref() {
            self.volume.free(&Pointer::from_bytes(rest).unwrap()).unwrap();
        }
        self.model.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn data(&mut self, key: &[u8], fill: u8) -> Result<(), StoreError> {
        let mut pointers = [Pointer::NONE];
        now(self.volume.write_data(&[fill; BLOCK], &mut pointers))?;
        let value = [&[DATA, fill], pointers[0].to_bytes().as_slice()].concat();
        if let Err(error) = self.put(key, &value) {
            self.volume.free(&pointers[0]).unwrap();
            return Err(error);
        }
        self.model.insert(key.to_vec(), vec![DATA, fill]);
        Ok(())
    }

    fn batch(&mut self, first: u16, put: bool) -> Result<(), StoreError> {
        let keys: Vec<_> = (0..8).map(|n| key(first.wrapping_add(n * 3))).collect();
        let value = value(first);
        let before: Vec<_> = keys.iter().map(|key| get(&self.volume, key)).collect::<Result<_, _>>()?;
        let changes: Vec<_> =
            keys.iter().map(|key| Change { key, value: put.then_some(value.as_slice()) }).collect();
        now(self.volume.apply(&changes, Need::Ordinary))?;
        let mut freed: Vec<Pointer> = Vec::new();
        for (key, before) in keys.iter().zip(before) {
            if let Some([DATA, _, rest @ ..]) = before.as_deref() {
                let pointer = Pointer::from_bytes(rest).unwrap();
                // A key may be there twice.
                if !freed.contains(&pointer) {
                    self.volume.free(&pointer).unwrap();
                    freed.push(pointer);
                }
            }
            match put {
                true => self.model.insert(key.clone(), value.clone()),
                false => self.model.remove(key),
            };
        }
        Ok(())
    }

    /// Does a step to both. Being full is the only thing that may go wrong.
    pub fn step(&mut self, step: &Step) -> Result<(), StoreError> {
        match step {
            Step::Put(n, length) => self.put(&key(*n), &value(*length)),
            Step::Data(n, fill) => self.data(&key(*n), *fill),
            Step::Batch(first, put) => self.batch(*first, *put),
            Step::Remove(n) => {
                let key = key(*n);
                let before = get(&self.volume, &key)?;
                now(self.volume.remove(&key))?;
                if let Some([DATA, _, rest @ ..]) = before.as_deref() {
                    self.volume.free(&Pointer::from_bytes(rest).unwrap())?;
                }
                self.model.remove(&key);
                Ok(())
            }
            Step::Commit => self.commit(),
            Step::Settle => now(self.volume.settle()),
            Step::Abort => {
                self.volume.abort()?;
                self.model = self.committed.clone();
                Ok(())
            }
            Step::Mount => {
                self.volume = mount(self.volume.disk().clone());
                self.model = self.committed.clone();
                Ok(())
            }
            Step::Snapshot => {
                let id = now(self.volume.snapshot(b"a note"))?;
                self.committed = self.model.clone();
                self.snapshots.insert(id, self.model.clone());
                Ok(())
            }
            Step::Delete(nth) => {
                let ids: Vec<u64> = self.snapshots.keys().copied().collect();
                let Some(id) = ids.get(nth % ids.len().max(1)) else { return Ok(()) };
                now(self.volume.delete_snapshot(*id))?;
                self.committed = self.model.clone();
                self.snapshots.remove(id);
                Ok(())
            }
            Step::Check => {
                self.commit()?;
                self.compare();
                assert_eq!(check(&self.volume), []);
                Ok(())
            }
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        now(self.volume.commit())?;
        self.committed = self.model.clone();
        Ok(())
    }

    pub fn compare(&self) {
        assert!(everything(&self.volume).unwrap() == self.model, "the volume is not its model");
        let ids: Vec<u64> = self.volume.snapshots().iter().map(|snapshot| snapshot.id).collect();
        assert_eq!(ids, self.snapshots.keys().copied().collect::<Vec<_>>());
        for (id, model) in &self.snapshots {
            let view = self.volume.view(*id).unwrap();
            assert!(everything_in(&view).unwrap() == *model, "snapshot {id} is not its model");
        }
    }
}

/// Does steps to both, on a disk of some size, and compares at the end.
fn run(blocks: u64, steps: &[Step]) {
    let mut pair = Pair::new(blocks);
    for step in steps {
        match pair.step(step) {
            Ok(()) | Err(StoreError::Full) => {}
            Err(error) => panic!("{step:?}: {error}"),
        }
    }
    pair.compare();
    pair.step(&Step::Check).unwrap();
    pair.step(&Step::Mount).unwrap();
    pair.compare();
    assert_eq!(check(&pair.volume), []);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_volume_is_what_a_map_is(steps in steps(400)) {
        run(4096 * 3, &steps);
    }

    #[test]
    fn so_is_one_that_gets_full(steps in steps(600)) {
        run(300, &steps);
    }
}

/// One test has so many records that the tree has three levels, and takes them all out again.
#[test]
fn many_records_come_and_go() {
    let mut pair = Pair::new(1 << 14);
    let name = |n: u64| text!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into_bytes();
    for n in 0..20_000 {
        pair.put(&name(n), &[7; 40]).unwrap();
        if n % 2000 == 1999 {
            pair.commit().unwrap();
        }
    }
    pair.step(&Step::Check).unwrap();
    for n in 0..20_000 {
        now(pair.volume.remove(&name(n))).unwrap();
        pair.model.remove(&name(n));
        if n % 2000 == 1999 {
            pair.step(&Step::Check).unwrap();
        }
    }
    assert_eq!(pair.volume.space().free, pair.volume.space().total);
}

/// Records that are written in order fill their leaves.
#[test]
fn records_in_order_take_little_space() {
    let volume = new_volume(1 << 14);
    for n in 0..10_000u32 {
        now(volume.put(&n.to_be_bytes(), &[7; 100])).unwrap();
        if volume.dirty() > 512 {
            now(volume.commit()).unwrap();
        }
    }
    now(volume.commit()).unwrap();
    let used = volume.space().total - volume.space().free;
    assert!(used < 2 * (10_000 * 110 / 4080 + 10), "{used} blocks");
    let names: Vec<String> = check(&volume).iter().map(|finding| text!("{finding}")).collect();
    assert_eq!(names, [""; 0]);
}
