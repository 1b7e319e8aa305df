//! Random bytes that the lab knows, for devices that give such: what a guest got of them can be judged from outside.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::args::Wiring;
use crate::case::Machine;

/// More than any case takes: a device that comes to the end has nothing to give any more.
const BYTES: usize = 4 << 20;

/// Where they are.
pub fn file(wiring: &Wiring) -> PathBuf {
    wiring.sockets.join("entropy")
}

/// Writes them, if the machine has a device for them, or a disk of them.
pub fn provide(machine: &Machine, wiring: &Wiring) -> Result<(), String> {
    match machine.entropy || machine.disk {
        true => fs::write(file(wiring), known()).map_err(|error| format!("random bytes: {error}")),
        false => Ok(()),
    }
}

/// The same in every run: xorshift64*, so that any few bytes come once.
fn known() -> &'static [u8] {
    static KNOWN: OnceLock<Vec<u8>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let words = std::iter::repeat_with(|| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        });
        words.take(BYTES / 8).flat_map(u64::to_le_bytes).collect()
    })
}

/// Whether a text is such bytes, in hexadecimal: 16 or more that follow one another.
pub fn is_known(text: &str) -> bool {
    bytes(text).is_some_and(|bytes| known().windows(bytes.len()).any(|window| window == bytes))
}

/// The same, and they begin there.
pub fn is_known_at(text: &str, offset: u64) -> bool {
    let from = usize::try_from(offset).ok().and_then(|offset| known().get(offset..));
    bytes(text).zip(from).is_some_and(|(bytes, from)| from.starts_with(&bytes))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() >= 32)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn what_is_in_the_file_is_known_and_nothing_else() {
        let bytes = &known()[12_345..12_377];
        assert!(is_known(&hex(bytes)));
        assert!(is_known_at(&hex(bytes), 12_345) && !is_known_at(&hex(bytes), 12_346));
        assert!(!is_known_at(&hex(bytes), u64::MAX) && !is_known_at("", 0));
        assert!(is_known(&hex(&known()[BYTES - 16..])));
        let mut others = bytes.to_vec();
        others[20] ^= 1;
        assert!(!is_known(&hex(&others)));
        others[20] ^= 1;
        others.swap(3, 4);
        assert!(!is_known(&hex(&others)), "the order counts");
        assert!(!is_known(&hex(&bytes[..15])), "too few to tell anything");
        assert!(!is_known(&format!("{}0", hex(bytes))) && !is_known("") && !is_known(&"x".repeat(40)));
    }
}
