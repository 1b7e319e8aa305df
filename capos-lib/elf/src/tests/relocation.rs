//! Position-independent files with a dynamic section.

use super::{Header, bytes, load};
use crate::{ElfError, Image, Kind, Relocation, Relocations};
use std::vec::Vec;

const DYNAMIC: usize = 0x1000;
const TABLE: usize = 0x1100;

/// One segment with a dynamic section at 0x1000 and a table at 0x1100; addresses are file offsets.
fn file(dynamic: &[(u64, u64)], table: &[[u64; 3]]) -> Vec<u8> {
    let header = Header {
        kind: 3,
        entry: 0x1010,
        segments: Vec::from([
            load(6, 0, 0, 0x2000, 0x3000),
            (2, 6, [DYNAMIC as u64, DYNAMIC as u64, 16 * dynamic.len() as u64, 16 * dynamic.len() as u64, 8]),
        ]),
    };
    let mut out = bytes(&header);
    put(&mut out, DYNAMIC, dynamic.iter().flat_map(|(tag, value)| [*tag, *value]));
    put(&mut out, TABLE, table.iter().flatten().copied());
    out
}

fn put(out: &mut [u8], at: usize, words: impl Iterator<Item = u64>) {
    for (slot, word) in out[at..].chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
}

fn relocations(file: &[u8]) -> Result<Vec<Relocation>, ElfError> {
    let image = Image::parse(file, file.len() as u64)?;
    assert_eq!(image.kind(), Kind::PositionIndependent);
    Ok(Relocations::of(&image, file)?.collect())
}

fn named(size: u64) -> [(u64, u64); 4] {
    [(7, TABLE as u64), (8, size), (9, 24), (0, 0)]
}

#[test]
fn relative_ones_are_listed_in_order() {
    let bytes = file(&named(48), &[[0x1800, 8, 0x1010], [0x2ff8, 8, 0x20]]);
    let first = Relocation { address: 0x1800, addend: 0x1010 };
    assert_eq!(relocations(&bytes), Ok(Vec::from([first, Relocation { address: 0x2ff8, addend: 0x20 }])));
}

#[test]
fn a_file_without_a_table_has_none() {
    assert_eq!(relocations(&file(&[(0, 0)], &[])), Ok(Vec::new()));
    assert_eq!(relocations(&file(&[], &[])), Ok(Vec::new()));
}

#[test]
fn what_needs_a_symbol_is_refused() {
    let bytes = file(&named(48), &[[0x1800, 8, 0], [0x1808, 1 << 32 | 6, 0]]);
    assert_eq!(relocations(&bytes), Err(ElfError::BadRelocation(1)));
}

#[test]
fn what_lies_outside_of_memory_is_refused() {
    for address in [0x3000, 0x2ff9, u64::MAX, u64::MAX - 7] {
        assert_eq!(relocations(&file(&named(24), &[[address, 8, 0]])), Err(ElfError::BadRelocation(0)));
    }
}

#[test]
fn a_malformed_table_is_refused() {
    let broken: [[(u64, u64); 3]; 5] = [
        [(7, TABLE as u64), (8, 25), (9, 24)],
        [(7, TABLE as u64), (8, 48), (9, 16)],
        [(7, TABLE as u64), (8, 48), (9, 0)],
        [(7, 0x1ff0), (8, 24), (9, 24)],
        [(7, u64::MAX), (8, 24), (9, 24)],
    ];
    for dynamic in broken {
        assert_eq!(relocations(&file(&dynamic, &[])), Err(ElfError::BadRelocation(0)), "{dynamic:x?}");
    }
}

#[test]
fn a_fixed_image_has_none() {
    let mut bytes = file(&named(24), &[[0x1800, 8, 0]]);
    bytes[16] = 2;
    let image = Image::parse(&bytes, bytes.len() as u64).unwrap();
    assert_eq!(Relocations::of(&image, &bytes).unwrap().count(), 0);
}
