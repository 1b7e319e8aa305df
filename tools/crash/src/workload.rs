//! What is done before the plug is pulled.

use capos_fs::{Fs, Kind, Stamp};
use capos_store::{Limits, Volume};

use crate::block_on;
use crate::image::Image;
use crate::model::Model;
use crate::op::Op;

/// Numbers that look random and are the same for the same seed (splitmix64, by Sebastiano Vigna).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    fn mix(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.mix() % end
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Blocks of the disk.
const BLOCKS: usize = 512;

/// A volume with something of everything, and its model.
///
/// # Panics
/// When it cannot be made.
pub fn base() -> (Image, Model) {
    let image = Image::new(BLOCKS);
    block_on(capos_store::format(&image, 0xca05, None)).expect("the disk is large enough");
    let (volume, _) = block_on(Volume::mount(image.clone(), Limits::default())).expect("it was formatted");
    block_on(Fs::format(&volume, Stamp::default())).expect("it is empty");
    let fs = block_on(Fs::mount(volume)).expect("it has a root");
    let mut model = Model::new((BLOCKS * 4096) as u64);
    let text = str::to_owned;
    let mut ops = vec![
        Op::Make(Kind::File, text("f")),
        Op::Write(text("f"), 0, 10_000, 1),
        Op::Make(Kind::File, text("g")),
        Op::Append(text("g"), 100, 2),
        Op::Make(Kind::Directory, text("d")),
        Op::Make(Kind::Directory, text("d/e")),
        Op::Make(Kind::File, text("d/x")),
        Op::Write(text("d/x"), 5000, 5000, 3),
        Op::Make(Kind::Directory, text("empty")),
        Op::Make(Kind::Namespace, text("n")),
        Op::Blob(text("n/blob"), 9000, 4),
        Op::Bind(text("d/x"), text("n/x"), false),
        Op::Make(Kind::File, text("sparse")),
    ];
    // Longer than what is removed in one step: as many records as two steps have.
    ops.extend((0..24).map(|at| Op::Write(text("sparse"), at * 65_536, 10, at as u8)));
    // Something that only a snapshot has, and a directory with a quota.
    ops.extend([
        Op::Snapshot(text("first")),
        Op::Write(text("f"), 0, 9000, 5),
        Op::Make(Kind::Directory, text("own")),
        Op::Assign(text("own"), 1),
        Op::Quota(1, 20, 5),
        Op::Make(Kind::File, text("own/x")),
        Op::Write(text("own/x"), 0, 9000, 6),
        Op::Make(Kind::Namespace, text("room")),
        Op::Assign(text("room"), 1),
        Op::Bind(text("own/x"), text("room/x"), false),
        Op::Sync,
    ]);
    for (number, op) in ops.iter().enumerate() {
        let done = block_on(op.carry_out(&fs, number));
        assert!(done == crate::op::Expect::Same(Ok(())) && model.apply(op).is_ok(), "{op:?}: {done:?}");
    }
    (fs.into_volume().into_disk(), model)
}

/// Operations of every kind, each of which the base allows.
fn all() -> Vec<Op> {
    let text = str::to_owned;
    let rename = |from: &str, to: &str| Op::Rename(text(from), text(to), true);
    vec![
        Op::Make(Kind::File, text("new")),
        Op::Make(Kind::Directory, text("d/new")),
        Op::Make(Kind::Namespace, text("n/new")),
        Op::Write(text("f"), 0, 4096, 9),
        Op::Write(text("f"), 4000, 300, 9),
        Op::Write(text("f"), 20_000, 1, 9),
        Op::Write(text("d/x"), 0, 70_000, 9),
        Op::Append(text("g"), 4096, 9),
        Op::Truncate(text("f"), 5000),
        Op::Truncate(text("f"), 0),
        Op::Truncate(text("f"), 50_000),
        Op::Truncate(text("sparse"), 100),
        Op::Clear(text("f"), 100, 8000),
        Op::Clear(text("sparse"), 0, 1 << 20),
        Op::Remove(text("f")),
        Op::Remove(text("d/x")),
        Op::Remove(text("sparse")),
        Op::Remove(text("empty")),
        Op::Remove(text("n/blob")),
        Op::Hold(text("f")),
        rename("f", "g"),
        rename("f", "d/x"),
        rename("d", "empty"),
        rename("d/e", "up"),
        rename("n/blob", "blob"),
        Op::Blob(text("blob"), 5000, 9),
        Op::Blob(text("again"), 9000, 4),
        Op::Bind(text("n/blob"), text("named"), false),
        Op::Bind(text("f"), text("n/x"), true),
        Op::Collect,
        Op::Snapshot(text("second")),
        Op::Drop(text("first")),
        Op::Assign(text("empty"), 2),
        Op::Quota(2, 40, 9),
        Op::Make(Kind::File, text("own/y")),
        Op::Bind(text("g"), text("room/y"), false),
    ]
}

/// Every operation alone, synced.
pub fn singles() -> Vec<Vec<Op>> {
    all().into_iter().map(|op| vec![op, Op::Sync]).collect()
}

/// Every two operations, synced together and each for itself.
pub fn pairs() -> Vec<Vec<Op>> {
    let mut pairs = Vec::new();
    for first in all() {
        for second in all() {
            pairs.push(vec![first.clone(), second.clone(), Op::Sync]);
            pairs.push(vec![first.clone(), Op::Sync, second, Op::Sync]);
        }
    }
    pairs
}

/// So many of them by chance, each at most once.
pub fn some_pairs(random: &mut Random, count: usize) -> Vec<Vec<Op>> {
    let mut left = pairs();
    let count = count.min(left.len());
    (0..count).map(|_| left.swap_remove(random.below(left.len() as u64) as usize)).collect()
}

const PLACES: [&str; 8] = ["", "d/", "d/e/", "n/", "n/m/", "empty/", "own/", "room/"];
const SNAPSHOTS: [&str; 3] = ["first", "second", "third"];
const NAMES: [&str; 7] = ["a", "b", "f", "g", "x", "e", "m"];

/// So many operations by chance, of which many are refused, as they come.
pub fn random(random: &mut Random, length: usize) -> Vec<Op> {
    let mut ops: Vec<Op> = (0..length).map(|_| one(random)).collect();
    ops.push(Op::Sync);
    ops
}

fn one(random: &mut Random) -> Op {
    let path = |random: &mut Random| format!("{}{}", random.of(&PLACES), random.of(&NAMES));
    let (this, that) = (path(random), path(random));
    let kind = [Kind::File, Kind::File, Kind::Directory, Kind::Namespace][random.below(4) as usize];
    let furthest = [10_000, 100_000, 1_200_000][random.below(3) as usize];
    let longest = [100, 10_000, 90_000][random.below(3) as usize];
    let (offset, length) = (random.below(furthest), random.below(longest) as usize);
    let value = random.below(256) as u8;
    match random.below(20) {
        16 => Op::Snapshot(random.of(&SNAPSHOTS).to_owned()),
        17 => Op::Drop(random.of(&SNAPSHOTS).to_owned()),
        18 => Op::Assign(this, 1 + random.below(3) as u32),
        19 => Op::Quota(1 + random.below(3) as u32, random.below(40), random.below(8)),
        0 | 1 => Op::Make(kind, this),
        2..5 => Op::Write(this, offset, length, value),
        5 => Op::Append(this, length, value),
        6 => Op::Truncate(this, offset),
        7 => Op::Clear(this, offset, length as u64),
        8 => Op::Remove(this),
        9 | 10 => Op::Rename(this, that, random.below(2) == 0),
        11 => Op::Blob(this, length, value % 4),
        12 => Op::Bind(this, that, random.below(2) == 0),
        13 => Op::Hold(this),
        14 => Op::Collect,
        _ => Op::Sync,
    }
}
