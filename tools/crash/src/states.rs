//! The states in which a machine can have stopped.
//!
//! Between two flushes a disk may keep any of what was written, in any order, and of a block any of its sectors. Up to some number
//! of writes all choices of whole blocks are made, and each block is torn at each sector; beyond that, some by chance.

use std::collections::BTreeMap;
use std::ops::Range;

use capos_store::BLOCK;

use crate::image::{Block, Image};
use crate::record::Event;
use crate::workload::Random;

/// Bytes that a disk writes at once.
const SECTOR: usize = 512;
/// All sectors of a block.
const WHOLE: u8 = 0xff;
/// Up to so many writes between two flushes all choices are made.
const EXHAUSTIVE: usize = 9;

/// A state in which the machine can have stopped.
pub struct State {
    /// What is on the disk.
    pub image: Image,
    /// How many operations may have had an effect: at least, and at most.
    pub operations: Range<usize>,
    /// Which writes of those after the last flush are there (numbers of events), and which sectors.
    pub kept: Vec<(usize, u8)>,
}

/// A write that may be lost.
struct Pending<'e> {
    event: usize,
    number: u64,
    block: &'e Block,
}

/// Goes through the states of a run; of choices that are too many for all, `samples` for each flush.
pub fn states(
    base: &Image,
    events: &[Event],
    samples: usize,
    random: &mut Random,
    mut see: impl FnMut(State),
) {
    let image = base.clone();
    let mut begin = 0;
    let mut pending: Vec<Pending<'_>> = Vec::new();
    for end in 0..=events.len() {
        let durable = match events.get(end) {
            Some(Event::Write(number, block)) => {
                pending.push(Pending { event: end, number: *number, block });
                continue;
            }
            Some(Event::Begun(_) | Event::Synced(_)) => continue,
            Some(Event::Durable(durable)) => Some(durable.as_slice()),
            Some(Event::Flush) | None => None,
        };
        for kept in choices(&pending, samples, random) {
            let last = kept.last().map_or(begin, |(at, _)| pending[*at].event.max(begin));
            // It may have stopped at any time from the last write that is there up to the next flush, and each must do.
            let least = synced(&events[..end]);
            let operations = least..begun(&events[..last]).max(least) + 1;
            see(state(&image, &pending, &kept, operations));
        }
        settle(&image, &mut pending, durable);
        begin = end + 1;
    }
}

/// Some writes became durable, or all: what was written to the same places before will not be there any more.
fn settle(image: &Image, pending: &mut Vec<Pending<'_>>, durable: Option<&[usize]>) {
    let is_durable = |event: usize| durable.is_none_or(|durable| durable.contains(&event));
    let mut newest = BTreeMap::new();
    for write in pending.iter().filter(|write| is_durable(write.event)) {
        image.set(write.number, write.block.clone());
        newest.insert(write.number, write.event);
    }
    pending.retain(|write| newest.get(&write.number).is_none_or(|newest| write.event > *newest));
}

/// How many operations are to survive.
fn synced(events: &[Event]) -> usize {
    let synced = |event: &Event| if let Event::Synced(number) = event { Some(*number) } else { None };
    events.iter().rev().find_map(synced).unwrap_or(0)
}

/// How many operations may have had an effect.
fn begun(events: &[Event]) -> usize {
    let begun = |event: &Event| if let Event::Begun(number) = event { Some(*number + 1) } else { None };
    events.iter().rev().find_map(begun).unwrap_or(0)
}

/// Which writes are kept, by their place among the pending, and which of their sectors.
fn choices(pending: &[Pending<'_>], samples: usize, random: &mut Random) -> Vec<Vec<(usize, u8)>> {
    let all = 0..pending.len();
    let mut choices: Vec<Vec<(usize, u8)>> = Vec::new();
    if pending.len() <= EXHAUSTIVE {
        for bits in 0..1usize << pending.len() {
            choices.push(all.clone().filter(|at| bits >> at & 1 == 1).map(|at| (at, WHOLE)).collect());
        }
    } else {
        choices.extend((0..=pending.len()).map(|end| (0..end).map(|at| (at, WHOLE)).collect()));
        choices.extend(
            all.clone().map(|lost| all.clone().filter(|at| *at != lost).map(|at| (at, WHOLE)).collect()),
        );
        for _ in 0..samples {
            choices.push(all.clone().filter(|_| random.below(2) == 0).map(|at| (at, WHOLE)).collect());
        }
    }
    for torn in all.clone() {
        if pending.len() > EXHAUSTIVE && random.below(pending.len() as u64) >= EXHAUSTIVE as u64 {
            continue;
        }
        for cut in 1..8 {
            for mask in [WHOLE >> cut, WHOLE << cut] {
                // With nothing else, with all that came before, and with everything.
                choices.push(vec![(torn, mask)]);
                let with =
                    |end: usize| (0..end).map(|at| (at, if at == torn { mask } else { WHOLE })).collect();
                choices.push(with(torn + 1));
                choices.push(with(pending.len()));
            }
        }
    }
    choices
}

fn state(image: &Image, pending: &[Pending<'_>], kept: &[(usize, u8)], operations: Range<usize>) -> State {
    let image = image.clone();
    for (at, sectors) in kept {
        let write = &pending[*at];
        let before = image.block(write.number);
        image.set(write.number, mix(before, write.block, *sectors));
    }
    let kept = kept.iter().map(|(at, sectors)| (pending[*at].event, *sectors)).collect();
    State { image, operations, kept }
}

/// Some sectors of what was written, the others of what was there.
fn mix(before: Option<Block>, written: &Block, sectors: u8) -> Block {
    let Some(before) = before.filter(|_| sectors != WHOLE) else { return written.clone() };
    let mut bytes = *before;
    for sector in (0..BLOCK / SECTOR).filter(|sector| sectors >> sector & 1 == 1) {
        let range = sector * SECTOR..(sector + 1) * SECTOR;
        bytes[range.clone()].copy_from_slice(&written[range]);
    }
    Block::new(bytes)
}
