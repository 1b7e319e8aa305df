//! Line ends as terminals want them.

use alloc::vec::Vec;

/// Turns `\n` into `\r\n`, also when text comes in pieces, and leaves `\r\n` alone.
#[derive(Default)]
pub struct Output {
    returned: bool,
}

impl Output {
    /// Appends the translation of `text` to `out`.
    pub fn translate(&mut self, text: &str, out: &mut Vec<u8>) {
        for byte in text.bytes() {
            if byte == b'\n' && !self.returned {
                out.push(b'\r');
            }
            self.returned = byte == b'\r';
            out.push(byte);
        }
    }
}
