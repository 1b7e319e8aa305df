//! What a person reads on the terminal, out of the bytes that were sent to it: text without carriage returns, bells and escape
//! sequences (ECMA-48 section 5.4: CSI parameters `0x30..=0x3f`, intermediates `0x20..=0x2f`, one final byte `0x40..=0x7e`).
//! Sequences may be cut anywhere between two reads.

/// The filter's state between two reads.
#[derive(Default)]
pub struct Plain {
    state: State,
    /// An unfinished UTF-8 character.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Text,
    Escape,
    Csi,
}

impl Plain {
    /// Appends the readable part of `bytes` to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        let mut text = std::mem::take(&mut self.partial);
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, b'\r' | 0x07 | 0x00) => State::Text,
                (State::Text, _) => {
                    text.push(byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Csi,
                (State::Csi, 0x20..=0x3f) => State::Csi,
                (State::Escape | State::Csi, _) => State::Text,
            };
        }
        self.decode(text, out);
    }

    /// Keeps an incomplete character at the end for the next time; anything else that is not UTF-8 becomes U+FFFD.
    fn decode(&mut self, mut text: Vec<u8>, out: &mut String) {
        let incomplete = match std::str::from_utf8(&text) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => text.len(),
        };
        self.partial = text.split_off(incomplete);
        out.push_str(&String::from_utf8_lossy(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> String {
        let (mut plain, mut out) = (Plain::default(), String::new());
        chunks.iter().for_each(|chunk| plain.push(chunk, &mut out));
        out
    }

    #[test]
    fn escapes_and_returns_vanish() {
        assert_eq!(read(&[b"\x1b[1;32mok\x1b[0m\r\n\x07"]), "ok\n");
        assert_eq!(read(&[b"a\x1bcb\x1b[2Jc"]), "abc");
    }

    #[test]
    fn sequences_may_be_cut_anywhere() {
        let whole = b"x\x1b[12;3Hy\x1b[Kz";
        for cut in 0..=whole.len() {
            assert_eq!(read(&[&whole[..cut], &whole[cut..]]), "xyz", "cut at {cut}");
        }
    }

    #[test]
    fn characters_may_be_cut_anywhere() {
        let whole = "gr\u{fc}n \u{1f680}".as_bytes();
        for cut in 0..=whole.len() {
            assert_eq!(read(&[&whole[..cut], &whole[cut..]]), "gr\u{fc}n \u{1f680}", "cut at {cut}");
        }
    }

    #[test]
    fn noise_is_marked() {
        assert_eq!(read(&[b"a\xffb"]), "a\u{fffd}b");
    }
}
