//! One hostile thread: batches of entries, as many as its queue holds, one `cap_enter` each.

use crate::corrupt;
use crate::stats::Stats;
use core::sync::atomic::Ordering;
use probe::mutate::{Knowledge, Rng};
use rt::abi::ring::header;
use rt::abi::{Op, Sqe};
use rt::raw::{RawRing, words};

/// Every so many batches all pending operations are cancelled, or nothing but refusals would come.
const SWEEP: u64 = 64;
/// `user_data` of most entries is below this.
const NUMBERS: u64 = 64;
/// Longest wait in the kernel.
const WAIT_NS: u32 = 40_000;
/// Batches without an entry taken after which the thread gives up.
const PATIENCE: u32 = 1000;

/// Where the thread stands: both sides' indices as it knows them.
pub struct Place {
    /// Its own submission tail, and the kernel's head before the last `cap_enter`.
    pub tail: u32,
    /// Its own completion head.
    pub head: u32,
}

/// Goes on until its ring is out of order for good.
pub fn run(ring: &RawRing, knowledge: &mut Knowledge<'_>, rng: &mut Rng, stats: &Stats) {
    let mut place = Place { tail: 0, head: 0 };
    let mut idle = 0;
    for batch in 0u64.. {
        fill(ring, knowledge, rng);
        let entries = ring.shape().sq_entries;
        for n in 0..entries {
            let sqe = if batch % SWEEP == 0 { cancel(u64::from(n)) } else { knowledge.sqe(rng) };
            ring.write_sqe(place.tail.wrapping_add(n), &words(&sqe));
        }
        let taken = enter(ring, &mut place, entries, rng, stats);
        drain(ring, &mut place, knowledge, rng, stats);
        if rng.chance(1, 32) {
            corrupt::once(ring, &mut place, rng, stats);
        }
        idle = if taken == 0 { idle + 1 } else { 0 };
        if idle > PATIENCE {
            return;
        }
    }
}

fn cancel(number: u64) -> Sqe {
    Sqe { op: Op::Cancel as u8, user_data: u64::MAX, aux: number % NUMBERS, ..Sqe::default() }
}

/// Hands over what lies in the queue up to `entries` more; gives how many were taken.
fn enter(ring: &RawRing, place: &mut Place, entries: u32, rng: &mut Rng, stats: &Stats) -> u32 {
    let before = place.tail;
    ring.set_header(header::SQ_TAIL, before.wrapping_add(entries));
    let (wanted, timeout) = if rng.chance(1, 16) { (rng.edge(), rng.below(WAIT_NS)) } else { (0, 0) };
    ring.enter(wanted, u64::from(timeout));
    // What was not taken is written anew next time.
    place.tail = ring.header(header::SQ_HEAD);
    ring.set_header(header::SQ_TAIL, place.tail);
    let taken = place.tail.wrapping_sub(before);
    stats.entries.fetch_add(u64::from(taken), Ordering::Relaxed);
    taken
}

/// Takes all completions, counts them, and remembers what they brought.
fn drain(ring: &RawRing, place: &mut Place, knowledge: &mut Knowledge<'_>, rng: &mut Rng, stats: &Stats) {
    let tail = ring.header(header::CQ_TAIL);
    while place.head != tail {
        let cqe = ring.read_cqe(place.head);
        place.head = place.head.wrapping_add(1);
        stats.count(&cqe);
        if cqe.token != 0 {
            knowledge.learn(cqe.token, 0);
        }
        if cqe.caps > 0 {
            // Where the ids are only its own entry would tell: some places of arrays are looked at.
            let id = ring.arena(knowledge.caps_spot(rng));
            if id != 0 && id >> 56 == 0 {
                knowledge.learn(id, 0);
            }
        }
    }
    ring.set_header(header::CQ_HEAD, place.head);
}

/// Puts a message and a capability array somewhere.
fn fill(ring: &RawRing, knowledge: &Knowledge<'_>, rng: &mut Rng) {
    for _ in 0..4 {
        message(ring, knowledge.message_spot(rng), knowledge, rng);
        let spot = knowledge.caps_spot(rng);
        for n in 0..knowledge.stride().min(128) / 8 {
            ring.set_arena(spot + 8 * n, knowledge.transfer(rng));
        }
    }
}

/// A message whose root fits, with fields at the edges; now and then one byte of it is wrong.
fn message(ring: &RawRing, spot: u32, knowledge: &Knowledge<'_>, rng: &mut Rng) {
    let (data, pointers) = (rng.below(7), rng.below(3));
    ring.set_arena(spot, u64::from(data) << 32 | u64::from(pointers) << 48);
    for n in 1..=data + pointers {
        let value = match rng.below(4) {
            // What an earlier answer left: addresses of its own, among others.
            0 => ring.arena(8 * rng.below(knowledge.arena / 8)),
            1 => u64::from(rng.below(16)) << 12,
            _ => rng.edge(),
        };
        ring.set_arena(spot + 8 * n, value);
    }
    if rng.chance(1, 8) {
        let word = spot + 8 * rng.below(8);
        ring.set_arena(word, ring.arena(word) ^ 1 << rng.below(64));
    }
}
