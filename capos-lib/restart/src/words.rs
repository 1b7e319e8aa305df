//! Records of 64-bit words, little endian.

use alloc::string::String;
use alloc::vec::Vec;

/// Writes.
#[derive(Default)]
pub(crate) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn word(&mut self, word: u64) {
        self.bytes.extend(word.to_le_bytes());
    }

    /// Length in bytes, then the bytes, filled up to a word with zeros.
    pub fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        self.bytes.extend(text.as_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    pub fn words(&mut self, words: &[u64]) {
        words.iter().for_each(|word| self.word(*word));
    }
}

/// Reads; bytes behind the last whole word are not seen.
pub(crate) struct Reader<'a> {
    words: core::slice::Iter<'a, [u8; 8]>,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { words: bytes.as_chunks::<8>().0.iter() }
    }

    pub fn word(&mut self) -> Option<u64> {
        self.words.next().map(|word| u64::from_le_bytes(*word))
    }

    /// A word that is a small number.
    pub fn number(&mut self) -> Option<u32> {
        self.word().and_then(|word| u32::try_from(word).ok())
    }

    /// A text of at most so many bytes.
    pub fn text(&mut self, most: usize) -> Option<String> {
        let length = usize::try_from(self.word()?).ok().filter(|length| *length <= most)?;
        let words = self.words.as_slice().get(..length.div_ceil(8))?;
        self.words = self.words.as_slice().get(words.len()..)?.iter();
        core::str::from_utf8(words.as_flattened().get(..length)?).ok().map(String::from)
    }
}
