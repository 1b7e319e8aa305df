//! A range of pages, piece by piece as the lowest page tables cover it.

use crate::x86::paging::{PAGE, span};

/// The part of a range that one lowest table covers.
pub(super) struct Piece {
    /// Its first page.
    pub va: u64,
    /// Pages of the range before it.
    pub done: usize,
    /// How many pages.
    pub pages: usize,
}

/// The pieces of `pages` pages from `va` on.
pub(super) fn pieces(va: u64, pages: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    core::iter::from_fn(move || {
        if done == pages {
            return None;
        }
        let at = va + done as u64 * PAGE;
        let to_end = ((span(2) - at % span(2)) / PAGE) as usize;
        let piece = Piece { va: at, done, pages: to_end.min(pages - done) };
        done += piece.pages;
        Some(piece)
    })
}
