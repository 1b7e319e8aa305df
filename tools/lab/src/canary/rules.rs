//! What devices must not have done, page by page. Plain functions over what was seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use capos_mutate::pattern::{BYTES, MARK_AT, Pattern};
use memchr::memmem::Finder;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes that are shown of what should not be.
const SHOWN: usize = 16;
/// Broken rules that are named one by one.
const NAMED: usize = 10;
/// Bits that a walk of page tables sets in entries that are present (SDM volume 3, section 4.8): processors do so beside instructions.
const PRESENT: u64 = 1;
const WALKED: u64 = 1 << 5 | 1 << 6;

/// What to look for.
pub struct Patterns {
    grant: [u8; BYTES],
    pub bait: [u8; BYTES],
    pub secret: [u8; BYTES],
    find_bait: Halves,
    find_secret: Halves,
}

/// A pattern is found by each of its halves: so also where it goes across the end of a page, or where only a part was written.
struct Halves([Finder<'static>; 2]);

impl Halves {
    fn of(pattern: &[u8; BYTES]) -> Halves {
        let (first, second) = pattern.split_at(BYTES / 2);
        Halves([first, second].map(|half| Finder::new(half).into_owned()))
    }

    fn find(&self, page: &[u8]) -> Option<usize> {
        self.0.iter().filter_map(|half| half.find(page)).min()
    }
}

impl Patterns {
    /// Of a seed.
    pub fn of(seed: u64) -> Patterns {
        let [grant, bait, secret] =
            [Pattern::Grant, Pattern::Bait, Pattern::Secret].map(|pattern| pattern.bytes(seed));
        let (find_bait, find_secret) = (Halves::of(&bait), Halves::of(&secret));
        Patterns { grant, bait, secret, find_bait, find_secret }
    }

    /// A page full of the secret.
    pub fn secret_page(&self) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page.as_chunks_mut().0.fill(self.secret);
        page
    }

    fn is_granted(&self, page: &[u8; PAGE]) -> bool {
        page.get(MARK_AT..).is_some_and(|mark| mark == self.grant)
    }
}

/// One page, then and now.
pub struct Page<'a> {
    /// Its place in the file.
    pub number: u64,
    pub was: &'a [u8; PAGE],
    pub is: &'a [u8; PAGE],
}

/// What the rules go by.
pub struct Rules<'a> {
    pub patterns: &'a Patterns,
    /// Pages that devices were rightly told to write although they are no grant of a driver: rings.
    pub named: &'a BTreeSet<u64>,
    /// Pages that processors stored to.
    pub stored: &'a BTreeSet<u64>,
    /// Where the lab planted the secret.
    pub planted: &'a BTreeSet<u64>,
}

/// What was seen between two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Pages that changed.
    pub changed: usize,
    /// Of these, those that no processor stored to; with the next three.
    pub by_devices: usize,
    pub granted: usize,
    pub named: usize,
    pub walked: usize,
    /// Pages that have the mark of a grant now.
    pub marked: usize,
    /// Rules broken in all, and of the first what and where.
    pub wrong: usize,
    broken: Vec<Broken>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Broken {
    what: &'static str,
    page: u64,
    at: usize,
    address: Option<u64>,
    /// Some bytes from there on.
    is: Vec<u8>,
}

/// A device wrote to a page of nobody's grant.
const WRITTEN: &str = "a device wrote outside of every grant";
/// What hostile DMA carries is in a page of nobody's grant.
const BAIT: &str = "the bait stands outside of every grant";
/// What hostile DMA was to read came somewhere.
const SECRET: &str = "the secret stands where nobody planted it";

impl Rules<'_> {
    /// Looks at one page.
    pub fn apply(&self, page: &Page<'_>, report: &mut Report) {
        let changed = page.was != page.is;
        let is_planted = self.planted.contains(&page.number);
        if !changed && (is_planted || *page.is == [0; PAGE]) {
            return;
        }
        report.changed += usize::from(changed);
        let granted = self.patterns.is_granted(page.is);
        report.marked += usize::from(granted);
        if changed && !self.stored.contains(&page.number) {
            self.written(page, report);
        }
        if !granted && let Some(at) = self.patterns.find_bait.find(page.is) {
            report.add(BAIT, page, at);
        }
        if let Some(at) =
            self.patterns.find_secret.find(page.is).filter(|_| !(is_planted && self.is_left(page)))
        {
            report.add(SECRET, page, at);
        }
    }

    /// Whether what a page has of the secret was planted there: nobody stored to it, or the kernel is about to clear it, from its beginning on.
    fn is_left(&self, page: &Page<'_>) -> bool {
        let cleared = page.is.iter().take_while(|byte| **byte == 0).count();
        !self.stored.contains(&page.number) || page.is.get(cleared..) == page.was.get(cleared..)
    }

    /// A grant counts if it was one at the beginning: one that was made since then was stored to.
    fn written(&self, page: &Page<'_>, report: &mut Report) {
        report.by_devices += 1;
        if self.patterns.is_granted(page.was) {
            report.granted += 1;
        } else if self.named.contains(&page.number) {
            report.named += 1;
        } else if is_walked(page) {
            report.walked += 1;
        } else {
            let at = page.was.iter().zip(page.is).position(|(was, is)| was != is).unwrap_or(0);
            report.add(WRITTEN, page, at);
        }
    }
}

/// Whether all that changed is what a walk of page tables sets.
fn is_walked(page: &Page<'_>) -> bool {
    let words =
        |page: &[u8; PAGE]| page.as_chunks().0.iter().copied().map(u64::from_le_bytes).collect::<Vec<_>>();
    words(page.was)
        .into_iter()
        .zip(words(page.is))
        .all(|(was, is)| was == is || was & PRESENT != 0 && was | WALKED == is | WALKED && is & was == was)
}

impl Report {
    fn add(&mut self, what: &'static str, page: &Page<'_>, at: usize) {
        self.wrong += 1;
        if self.broken.len() < NAMED {
            let is = page.is.iter().copied().skip(at).take(SHOWN).collect();
            self.broken.push(Broken { what, page: page.number, at, address: None, is });
        }
    }

    /// Says where pages are, which are known by their places in the file.
    pub fn place(&mut self, physical: impl Fn(u64) -> Option<u64>) {
        for broken in &mut self.broken {
            broken.address = physical(broken.page).map(|page| page + broken.at as u64);
        }
    }

    /// What is wrong; empty if nothing is.
    pub fn wrong(&self) -> String {
        let mut out = String::new();
        for Broken { what, page, at, address, is } in &self.broken {
            let _ = match address {
                Some(address) => writeln!(out, "canary: {what}: address {address:#x}, now {is:02x?}"),
                None => {
                    writeln!(out, "canary: {what}: byte {at:#x} of page {page:#x} of the file, now {is:02x?}")
                }
            };
        }
        if self.wrong > self.broken.len() {
            let _ = writeln!(out, "canary: and {} more", self.wrong - self.broken.len());
        }
        out
    }

    /// All of it, as text.
    pub fn text(&self) -> String {
        format!(
            "canary: {} pages changed, {} of them by no processor's store: {} granted, {} told, {} page tables; {} pages are marked; {} wrong\n{}",
            self.changed,
            self.by_devices,
            self.granted,
            self.named,
            self.walked,
            self.marked,
            self.wrong,
            self.wrong()
        )
    }
}
