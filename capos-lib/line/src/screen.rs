//! What the terminal must be sent so that it shows the line.

use alloc::string::String;
use core::fmt::Write;

/// Shows prompt and line from the beginning of the terminal's line on, and puts the cursor in its place. A line longer than the
/// terminal is wide is shown in part, around the cursor.
pub(crate) fn redraw(out: &mut String, prompt: &str, text: &[char], cursor: usize, columns: usize) {
    let prompt_width = visible_width(prompt);
    let room = columns.saturating_sub(prompt_width + 1).max(8);
    let first = cursor.saturating_sub(room);
    let shown = text.get(first..text.len().min(first + room)).unwrap_or(&[]);
    drop_superseded(out);
    out.push('\r');
    out.push_str(prompt);
    out.extend(shown);
    out.push_str("\x1b[K");
    let behind = shown.len().saturating_sub(cursor - first);
    left(out, behind);
}

/// Drops what would be overwritten before anybody sees it: a long pasted line is drawn once and not with every character.
fn drop_superseded(out: &mut String) {
    let start = ["\n", "\x1b[2J"].iter().filter_map(|end| out.rfind(end).map(|at| at + end.len())).max();
    let start = start.unwrap_or(0);
    let rings = out.get(start..).is_some_and(|dropped| dropped.contains('\x07'));
    out.truncate(start);
    if rings {
        out.push('\x07');
    }
}

/// Whether a line of this length can be shown whole.
pub(crate) fn fits(prompt: &str, len: usize, columns: usize) -> bool {
    len < columns.saturating_sub(visible_width(prompt) + 1).max(8)
}

/// Moves the cursor to the left.
pub(crate) fn left(out: &mut String, columns: usize) {
    if columns > 0 {
        // Writing to a string does not fail.
        let _ = write!(out, "\x1b[{columns}D");
    }
}

/// Moves the cursor to the right.
pub(crate) fn right(out: &mut String, columns: usize) {
    if columns > 0 {
        // Writing to a string does not fail.
        let _ = write!(out, "\x1b[{columns}C");
    }
}

/// Columns that a prompt takes: escape sequences take none.
fn visible_width(prompt: &str) -> usize {
    let mut width = 0;
    let mut escaped = false;
    for c in prompt.chars() {
        match c {
            '\x1b' => escaped = true,
            'm' | 'K' if escaped => escaped = false,
            _ if escaped => {}
            _ => width += 1,
        }
    }
    width
}
