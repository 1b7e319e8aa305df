//! The lab's own hand: it does what devices are not to do, so that a case can show that the canary sees it. Each breaks one rule only.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::ram::Ram;
use super::rules::{PAGE, Patterns};
use crate::case::Hand;

/// Writes to a page that nobody uses, known by its place in the file.
pub fn break_rule(hand: Hand, page: u64, ram: &Ram, stored: &File, patterns: &Patterns) -> io::Result<()> {
    let pattern = match hand {
        Hand::Byte => {
            let byte = ram.page_at(page)?.get(1000).map_or(0, |byte| !byte);
            return ram.write_at(&[byte], page * PAGE as u64 + 1000);
        }
        Hand::Bait => &patterns.bait,
        Hand::Secret => &patterns.secret,
    };
    // As if a processor had stored to that page, too.
    stored.write_all_at(&[1], page)?;
    ram.write_at(&[0; PAGE], page * PAGE as u64)?;
    ram.write_at(pattern, page * PAGE as u64 + 1001)
}
