//! What a disk says that it is called.

use alloc::string::String;
use capos_virtio::blk::ID_BYTES;

/// Its name as text: up to the first zero, without blanks around it. What can not be printed is a question mark.
pub fn text(id: &[u8; ID_BYTES]) -> String {
    let bytes = id.iter().take_while(|byte| **byte != 0);
    let printed = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '?' };
    let all: String = bytes.map(printed).collect();
    String::from(all.trim())
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn whatever_the_device_says_is_text() {
        assert_eq!(text(b"capOS 0001\0garbage!!"), "capOS 0001");
        assert_eq!(text(b"twenty characters...").len(), 20);
        assert_eq!(text(&[0; 20]), "");
        assert_eq!(text(b"  a\x1b[2J\xff\n           "), "a?[2J??");
    }
}
