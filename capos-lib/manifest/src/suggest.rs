//! What may have been meant: the known name nearest to an unknown one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longer names are not compared, as the time for that grows with both lengths.
const LONGEST: usize = 64;

/// How many insertions, deletions, replacements and swaps of neighbours make `b` of `a` (the restricted Damerau distance).
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::from([i + 1]);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, j) + usize::from(x != y);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let previous = |of: &[char], n: usize| n.checked_sub(1).and_then(|n| of.get(n).copied());
            if previous(&a, i) == Some(*y) && previous(&b, j) == Some(*x) {
                best = best.min(at(&before, j.saturating_sub(1)) + 1);
            }
            row.push(best);
        }
        before = core::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// The known name that `name` was most likely meant to be: at most a third of it, but at least one character, may differ.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let most = name.chars().count().div_ceil(3);
    let candidates = known.into_iter().filter(|known| known.len() <= LONGEST && *known != name);
    let near = candidates.map(|known| (distance(name, known), known));
    near.filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// The same as a question for the end of a message.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|known| format!("did you mean {known:?}?"))
}
