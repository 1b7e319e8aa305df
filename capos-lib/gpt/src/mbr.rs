//! The first sector: a record that keeps tools which know nothing of GPT from taking the disk for empty (UEFI 2.10, 5.2.3).

use crate::bytes::{array, u32};
use crate::fault::Refusal;

const RECORDS: usize = 446;
const RECORD_BYTES: usize = 16;
const SIGNATURE: usize = 510;
/// Offsets in a record.
const KIND: usize = 4;
const FIRST: usize = 8;
const PROTECTIVE: u8 = 0xee;

/// Whether the sector protects a table and does nothing else. How long it says that the disk is does not matter: images grow.
pub fn check(sector: &[u8]) -> Result<(), Refusal> {
    if array(sector, SIGNATURE) != Some([0x55, 0xaa]) {
        return Err(Refusal::Unprotected);
    }
    let record = |number| sector.get(RECORDS + number * RECORD_BYTES..)?.get(..RECORD_BYTES);
    let (mut protective, mut others) = (0, 0);
    for record in (0..4).filter_map(record) {
        match (record.get(KIND), u32(record, FIRST)) {
            (Some(&PROTECTIVE), Some(1)) => protective += 1,
            (Some(0), _) => {}
            _ => others += 1,
        }
    }
    match (protective, others) {
        (1, 0) => Ok(()),
        (0, _) => Err(Refusal::Unprotected),
        _ => Err(Refusal::Hybrid),
    }
}
