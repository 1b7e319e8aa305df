//! Finishing what was begun, and guessing what was meant.

use alloc::string::String;
use alloc::vec::Vec;

/// What a begun word can become.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Completion {
    /// Nothing known begins like this.
    Nothing,
    /// Insert this; the word is complete when `done`.
    Insert {
        /// What is missing.
        text: String,
        /// Nothing else begins like this.
        done: bool,
    },
    /// All of these begin like this, and nothing more is common to them.
    Choices(Vec<String>),
}

/// Finishes `begun` from `candidates`.
pub fn complete<'a>(begun: &str, candidates: impl IntoIterator<Item = &'a str>) -> Completion {
    let mut matches: Vec<&str> =
        candidates.into_iter().filter(|candidate| candidate.starts_with(begun)).collect();
    matches.sort_unstable();
    matches.dedup();
    let Some(first) = matches.first().copied() else { return Completion::Nothing };
    let common = matches.iter().fold(first, |common, other| common_prefix(common, other));
    let missing = common.get(begun.len()..).unwrap_or("");
    match (matches.len(), missing) {
        (1, text) => Completion::Insert { text: String::from(text), done: true },
        (_, "") => Completion::Choices(matches.into_iter().map(String::from).collect()),
        (_, text) => Completion::Insert { text: String::from(text), done: false },
    }
}

fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let length = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    one.get(..length).unwrap_or("")
}

/// The candidate that `word` was probably meant to be: at most two slips of the finger away, and fewer than it has letters.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 2).min(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(slips, _)| *slips <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove, change or swap with their neighbour to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = alloc::vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut best = at(&last, j) + usize::from(a != b);
            best = best.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = core::mem::replace(&mut last, row);
    }
    at(&last, to.len())
}
