//! BLAKE2s with a key, as RFC 7693 has it: for short texts that are there at once.

/// Bytes of a key, and of what comes out.
pub const KEY: usize = 32;
/// Bytes that are mixed in at a time.
const BLOCK: usize = 64;

/// The first words of the state (section 2.6).
const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// In which order each round takes the words of a block (section 2.7).
const ROUNDS: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// A row of the four by four words that a block is mixed in (section 3.1): the four functions of a half round are one of its columns each.
type Row = [u32; 4];

/// The hash of `text` under `key`.
pub fn keyed(key: &[u8; KEY], text: &[u8]) -> [u8; KEY] {
    let mut state = IV;
    // Section 2.5: length of the result, length of the key, no tree.
    state[0] ^= 0x0101_0000 ^ (KEY as u32) << 8 ^ KEY as u32;
    compress(&mut state, key, BLOCK as u64, text.is_empty());
    let mut length = BLOCK as u64;
    let last = text.chunks(BLOCK).count();
    for (at, block) in text.chunks(BLOCK).enumerate() {
        length = length.wrapping_add(block.len() as u64);
        compress(&mut state, block, length, at.wrapping_add(1) == last);
    }
    let mut out = [0; KEY];
    for (to, from) in out.iter_mut().zip(state.iter().flat_map(|word| word.to_le_bytes())) {
        *to = from;
    }
    out
}

/// Mixes one block in, padded with zeros; `length` bytes were there with it (section 3.2).
fn compress(state: &mut [u32; 8], block: &[u8], length: u64, last: bool) {
    let words = words(block);
    let [a, b, c, d, e, f, g, h] = *state;
    let [i, j, k, l, m, n, o, p] = IV;
    let done = if last { u32::MAX } else { 0 };
    let (low, high) = (length as u32, (length >> 32) as u32);
    let mut rows = [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m ^ low, n ^ high, o ^ done, p]];
    for order in &ROUNDS {
        round(&mut rows, order.map(|at| words.get(usize::from(at)).copied().unwrap_or(0)));
    }
    let [first, second, third, fourth] = rows;
    let mixed = first.iter().chain(&second).zip(third.iter().chain(&fourth));
    for (word, (one, other)) in state.iter_mut().zip(mixed) {
        *word ^= one ^ other;
    }
}

fn words(block: &[u8]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks(4)) {
        let mut padded = [0; 4];
        padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        *word = u32::from_le_bytes(padded);
    }
    words
}

/// Columns first, then diagonals, which rotated rows bring into columns.
fn round(rows: &mut [Row; 4], words: [u32; 16]) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = words;
    half(rows, [a, c, e, g], [b, d, f, h]);
    rotate(rows, [1, 2, 3]);
    half(rows, [i, k, m, o], [j, l, n, p]);
    rotate(rows, [3, 2, 1]);
}

fn rotate([_, second, third, fourth]: &mut [Row; 4], by: [usize; 3]) {
    [second, third, fourth].into_iter().zip(by).for_each(|(row, by)| row.rotate_left(by));
}

fn half([first, second, third, fourth]: &mut [Row; 4], x: Row, y: Row) {
    let columns = first.iter_mut().zip(second).zip(third).zip(fourth).zip(x.iter().zip(&y));
    for ((((a, b), c), d), (x, y)) in columns {
        *a = a.wrapping_add(*b).wrapping_add(*x);
        *d = (*d ^ *a).rotate_right(16);
        *c = c.wrapping_add(*d);
        *b = (*b ^ *c).rotate_right(12);
        *a = a.wrapping_add(*b).wrapping_add(*y);
        *d = (*d ^ *a).rotate_right(8);
        *c = c.wrapping_add(*d);
        *b = (*b ^ *c).rotate_right(7);
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY, keyed};
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// Of the key 00 01 .. 1f and the text 00 01 .. of so many bytes, as the reference implementation has it (blake2-kat.json).
    const KNOWN: [(usize, &str); 9] = [
        (0, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49"),
        (1, "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1"),
        (8, "19fc8ca6979d60e6edd3b4541e2f967ced740df6ec1eaebbfe813832e96b2974"),
        (32, "c03bc642b20959cbe133a0303e0c1abff3e31ec8e1a328ec8565c36decff5265"),
        (63, "c65382513f07460da39833cb666c5ed82e61b9e998f4b0c4287cee56c3cc9bcd"),
        (64, "8975b0577fd35566d750b362b0897a26c399136df07bababbde6203ff2954ed4"),
        (65, "21fe0ceb0052be7fb0f004187cacd7de67fa6eb0938d927677f2398c132317a8"),
        (128, "0c311f38c35a4fb90d651c289d486856cd1413df9b0677f53ece2cd9e477c60a"),
        (255, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd"),
    ];

    #[test]
    fn hashes_are_those_of_the_reference() {
        let key: [u8; KEY] = core::array::from_fn(|at| at as u8);
        for (length, wanted) in KNOWN {
            let text: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let found: String = keyed(&key, &text).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, wanted, "{length} bytes");
        }
    }
}
