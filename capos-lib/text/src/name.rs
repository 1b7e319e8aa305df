//! Names of files, which may have any characters.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

/// A name as it can be shown, and typed: nothing in it does something to a terminal.
pub fn shown(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        let is_printable = !c.is_control() && (c == '"' || c.escape_debug().eq([c]));
        if is_printable && !matches!(c, '\\' | '\'' | ':') {
            text.push(c);
        } else {
            let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
        }
    }
    if is_plain(name) { text } else { format!("'{text}'") }
}

/// Whether a name can be typed as it is.
pub fn is_plain(name: &str) -> bool {
    let is_fine = |c: char| c.is_alphanumeric() || "._-+,=@%~/".contains(c);
    !name.is_empty() && name.chars().all(is_fine)
}
