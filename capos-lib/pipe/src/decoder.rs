//! Text out of bytes that come in pieces.

use alloc::string::String;
use alloc::vec::Vec;

/// Keeps the beginning of a character until the rest of it comes. What is no UTF-8 becomes replacement characters.
#[derive(Default)]
pub struct Decoder {
    /// At most three bytes, the beginning of one character.
    begun: Vec<u8>,
}

impl Decoder {
    /// The text that is complete with these bytes.
    pub fn text(&mut self, bytes: &[u8]) -> String {
        let mut whole = core::mem::take(&mut self.begun);
        whole.extend_from_slice(bytes);
        let mut text = String::with_capacity(whole.len());
        let mut rest: &[u8] = &whole;
        while let Err(error) = core::str::from_utf8(rest) {
            let (valid, behind) = rest.split_at(error.valid_up_to());
            text.push_str(core::str::from_utf8(valid).unwrap_or(""));
            let Some(bad) = error.error_len() else {
                self.begun = Vec::from(behind);
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            rest = behind.get(bad..).unwrap_or(&[]);
        }
        text.push_str(core::str::from_utf8(rest).unwrap_or(""));
        text
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Decoder;
    use std::string::String;

    #[test]
    fn characters_may_be_cut_anywhere() {
        let whole = "gr\u{fc}n \u{1f680}!";
        for cut in 0..=whole.len() {
            let mut decoder = Decoder::default();
            let (first, second) = whole.as_bytes().split_at(cut);
            let text = decoder.text(first) + &decoder.text(second);
            assert_eq!(text, whole, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_text_is_marked_and_never_kept() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(decoder.text(b"c"), "\u{fffd}c");
        for _ in 0..100 {
            decoder.text(b"\xf0\x9f");
            assert!(decoder.begun.len() <= 3);
        }
        assert_eq!(decoder.text(b""), String::new());
    }
}
