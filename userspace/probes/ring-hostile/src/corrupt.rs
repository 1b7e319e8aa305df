//! Indices that cannot be: any word of the header, the kernel's own included, is overwritten.

use crate::batch::Place;
use crate::stats::Stats;
use core::sync::atomic::Ordering;
use probe::mutate::Rng;
use rt::TransportError;
use rt::abi::ring::header;
use rt::raw::RawRing;

/// Words that mean something.
const WORDS: [usize; 9] = [
    header::SQ_TAIL,
    header::CQ_HEAD,
    header::SQ_TAIL,
    header::CQ_HEAD,
    header::SQ_HEAD,
    header::CQ_TAIL,
    header::SQ_ENTRIES,
    header::CQ_ENTRIES,
    header::ARENA_LEN,
];

/// Spoils some words, enters, and finds the way back.
pub fn once(ring: &RawRing, place: &mut Place, rng: &mut Rng, stats: &Stats) {
    let (tail, completions) = (place.tail, ring.header(header::CQ_TAIL));
    for _ in 0..=rng.below(3) {
        let offset = if rng.chance(1, 4) { rng.below(4096) as usize } else { rng.pick(&WORDS).unwrap_or(0) };
        ring.set_header(offset, rng.edge() as u32);
    }
    // The kernel's own words are set to what they cannot come to be, so that its writing them shows.
    let (wrong_head, wrong_tail) = (tail.wrapping_sub(1), completions.wrapping_sub(1));
    ring.set_header(header::SQ_HEAD, wrong_head);
    ring.set_header(header::CQ_TAIL, wrong_tail);
    if ring.enter(0, 0) == i64::from(TransportError::CorruptRing.code()) {
        stats.corrupt.fetch_add(1, Ordering::Relaxed);
    }
    let head = ring.header(header::SQ_HEAD);
    place.tail = if head == wrong_head { tail } else { head };
    stats.entries.fetch_add(u64::from(place.tail.wrapping_sub(tail)), Ordering::Relaxed);
    ring.set_header(header::SQ_HEAD, place.tail);
    ring.set_header(header::SQ_TAIL, place.tail);
    if ring.header(header::CQ_TAIL) == wrong_tail {
        ring.set_header(header::CQ_TAIL, completions);
    }
    ring.set_header(header::CQ_HEAD, place.head);
}
