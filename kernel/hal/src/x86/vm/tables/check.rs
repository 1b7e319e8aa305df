//! What processors find in the tables, for audits.

use super::super::Memory;
use super::super::window::{Piece, pieces};
use super::{Path, Slot, Tables, below_of, caching, is_large, leaf, slots};
use crate::x86::paging::{KERNEL_HALF, bits, table};
use capos_mem::{Backing, LARGE_PAGES, Protection};
use core::sync::atomic::Ordering;

/// What processors note in entries (Intel SDM vol. 3, 4.8).
const NOTED: u64 = 1 << 5 | 1 << 6;

fn is_present(entry: u64) -> bool {
    entry & bits::PRESENT != 0
}

/// An entry as it was written.
fn written(slot: Slot) -> u64 {
    slot.load(Ordering::Relaxed) & !NOTED
}

impl Tables {
    /// Whether `pages` pages from `va` on show `backing`, so protected.
    pub(in super::super) fn shows(
        &self,
        (va, pages): (u64, usize),
        protection: Protection,
        backing: &Backing<Memory>,
    ) -> bool {
        pieces(va, pages).all(|piece| {
            self.path(piece.va).is_some_and(|path| piece_shows(path, &piece, protection, backing))
        })
    }

    /// How many pages are shown in all.
    pub(in super::super) fn shown(&self) -> u64 {
        // SAFETY: our own top table.
        let top = unsafe { table(self.top) };
        top.iter().take(KERNEL_HALF).map(|slot| shown_below(slot, 4)).sum()
    }
}

fn piece_shows([.., second]: Path, piece: &Piece, protection: Protection, backing: &Backing<Memory>) -> bool {
    let frames = &backing.object.frames;
    let is_it = |n: usize, entry: u64| match (protection, frames.locate(backing.first + piece.done + n)) {
        (_, None) => false,
        (Protection::None, _) => !is_present(entry),
        (_, Some((pa, _))) => entry == leaf(pa | caching(frames), protection),
    };
    let entry = written(second);
    if is_large(entry) {
        let ahead = frames.locate(backing.first + piece.done).map_or(0, |(_, ahead)| ahead);
        return piece.pages == LARGE_PAGES && ahead >= LARGE_PAGES && is_it(0, entry & !bits::LARGE);
    }
    let slots = slots(second, piece);
    slots.len() == piece.pages && slots.iter().enumerate().all(|(n, slot)| is_it(n, written(slot)))
}

/// Pages that are shown by an entry of a table of that level.
fn shown_below(slot: Slot, level: u32) -> u64 {
    let entry = written(slot);
    match level {
        1 => u64::from(is_present(entry)),
        2 if is_large(entry) => {
            if is_present(entry) {
                LARGE_PAGES as u64
            } else {
                0
            }
        }
        _ => below_of(slot).map_or(0, |table| table.iter().map(|slot| shown_below(slot, level - 1)).sum()),
    }
}
