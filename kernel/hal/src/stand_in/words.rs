//! DMA memory of the machine: a word is where it is asked for, and nothing is outside.

use super::dma::DmaMemory;
use crate::account::Account;
use crate::types::OutOfRange;
use capos_mem::RESOURCES;

const PAGE: usize = 4096;
const PAGES: usize = 2;
const LENGTH: usize = PAGES * PAGE;

fn some() -> DmaMemory {
    let account = Account::root([1000; RESOURCES]).expect("host memory");
    DmaMemory::new(PAGES, 64, &account).expect("host memory")
}

/// For each offset: what is there if a word of so many bytes may be, or nothing.
fn is_judged<T: PartialEq + core::fmt::Debug>(
    bytes: usize,
    load: impl Fn(usize) -> Result<T, OutOfRange>,
    store: impl Fn(usize) -> bool,
) {
    let offsets = (0..2 * LENGTH).chain(usize::MAX - 32..=usize::MAX);
    for offset in offsets {
        let inside = offset < LENGTH && offset.is_multiple_of(bytes);
        assert_eq!(load(offset).is_ok(), inside, "{bytes} bytes at {offset}");
        assert_eq!(store(offset), inside, "{bytes} bytes to {offset}");
    }
}

#[test]
fn nothing_is_outside() {
    let it = some();
    assert_eq!(it.length(), LENGTH);
    is_judged(2, |at| it.load16(at), |at| it.store16(at, 0).is_ok());
    is_judged(4, |at| it.load32(at), |at| it.store32(at, 0).is_ok());
    is_judged(8, |at| it.load64(at), |at| it.store64(at, 0).is_ok());
    is_judged(16, |at| it.load_pair(at), |at| it.store_pair(at, [0; 2]).is_ok());
}

#[test]
fn a_word_is_where_it_is_asked_for() {
    let it = some();
    it.store_pair(LENGTH - 16, [0x1716_1514_1312_1110, 0x1f1e_1d1c_1b1a_1918]).expect("the last");
    assert_eq!(it.load64(LENGTH - 8), Ok(0x1f1e_1d1c_1b1a_1918));
    it.store16(LENGTH - 2, 0xaabb).expect("the last");
    it.store32(LENGTH - 16, 0xccdd_eeff).expect("inside");
    it.store64(0, 1).expect("the first");
    assert_eq!(it.load_pair(LENGTH - 16), Ok([0x1716_1514_ccdd_eeff, 0xaabb_1d1c_1b1a_1918]));
    assert_eq!(
        (it.load32(LENGTH - 4), it.load16(LENGTH - 16), it.load64(0)),
        (Ok(0xaabb_1d1c), Ok(0xeeff), Ok(1))
    );
    assert_eq!(it.load64(8), Ok(0), "and nowhere else");
}
