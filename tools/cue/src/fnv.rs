//! A stamp of a text: 64-bit FNV-1a. It tells an old text from a new one; it is no defence against forgery.

/// The stamp, in hexadecimal.
pub fn stamp(texts: &[&str]) -> String {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in texts {
        // A byte that no text has ends each, so that what is cut differently differs.
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn equal_texts_have_equal_stamps() {
        assert_eq!(stamp(&["a", "b"]), stamp(&["a", "b"]));
        assert_eq!(stamp(&[]), "cbf29ce484222325");
    }

    #[test]
    fn different_texts_have_different_stamps() {
        let texts: [&[&str]; 6] = [&["ab"], &["a", "b"], &["", "ab"], &["ab", ""], &["ac"], &["ab "]];
        for (n, text) in texts.iter().enumerate() {
            assert!(texts.iter().take(n).all(|other| stamp(other) != stamp(text)));
        }
    }
}
