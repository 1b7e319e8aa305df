//! Builds tables, and a physical memory to put them in.

use crate::{GenericAddress, Table};
use proptest::prelude::ProptestConfig;
use std::vec::Vec;

/// Fewer cases under Miri, which is slow, and no files, which it forbids.
pub fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 8 } else { 512 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Makes the bytes add up to zero by changing the one at `at`.
pub fn fix_checksum(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[at] = sum.wrapping_neg();
}

/// A table with a header of revision 1.
pub fn table(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::from(*name);
    out.extend((36 + body.len() as u32).to_le_bytes());
    out.extend([1, 0]);
    out.extend(b"CAPOS TESTTABL");
    out.extend([0; 12]);
    out.extend(body);
    fix_checksum(&mut out, 9);
    out
}

/// Changes some bytes of a table and corrects its checksum.
pub fn patched(mut table: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    table[at..at + bytes.len()].copy_from_slice(bytes);
    fix_checksum(&mut table, 9);
    table
}

pub fn parsed(bytes: &[u8]) -> Table<'_> {
    Table::parse(bytes).unwrap()
}

/// A fixed description table as QEMU's q35 has it: 244 bytes, PM1a at 0x604, reset at 0xcf9.
pub fn fadt(dsdt: u32) -> Vec<u8> {
    let mut body = std::vec![0u8; 244 - 36];
    let mut put = |at: usize, bytes: &[u8]| body[at - 36..at - 36 + bytes.len()].copy_from_slice(bytes);
    put(40, &dsdt.to_le_bytes());
    put(46, &9u16.to_le_bytes());
    put(48, &0xb2u32.to_le_bytes());
    put(52, &[2, 3]);
    put(56, &0x600u32.to_le_bytes());
    put(64, &0x604u32.to_le_bytes());
    put(76, &0x608u32.to_le_bytes());
    put(80, &0x620u32.to_le_bytes());
    put(88, &[4, 2, 0, 4, 16, 0]);
    put(108, &[0x32]);
    put(112, &(1u32 << 10).to_le_bytes());
    put(116, &gas(1, 8, 0xcf9));
    put(128, &[0x0f]);
    table(b"FACP", &body)
}

pub fn gas(space: u8, bits: u8, address: u64) -> [u8; GenericAddress::LEN] {
    let mut out = [space, bits, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    out[4..].copy_from_slice(&address.to_le_bytes());
    out
}

/// Physical memory: pieces at addresses.
#[derive(Default)]
pub struct Pieces(Vec<(u64, Vec<u8>)>);

impl Pieces {
    pub fn put(&mut self, address: u64, bytes: Vec<u8>) {
        self.0.push((address, bytes));
    }

    pub fn read(&self, address: u64, length: usize) -> Option<&[u8]> {
        self.0.iter().find_map(|(base, bytes)| {
            let at = usize::try_from(address.checked_sub(*base)?).ok()?;
            bytes.get(at..at.checked_add(length)?)
        })
    }
}

/// A root pointer of revision 2.
pub fn rsdp(rsdt: u32, xsdt: u64) -> Vec<u8> {
    let mut out = Vec::from(*b"RSD PTR \0CAPOS \x02");
    out.extend(rsdt.to_le_bytes());
    out.extend(36u32.to_le_bytes());
    out.extend(xsdt.to_le_bytes());
    out.extend([0; 4]);
    fix_checksum(&mut out[..20], 8);
    fix_checksum(&mut out, 32);
    out
}

/// A DSDT whose AML is `aml`.
pub fn dsdt(aml: &[u8]) -> Vec<u8> {
    table(b"DSDT", aml)
}

/// What QEMU's machines say: `Name (_S5_, Package {0, 0, 0, 0})`.
pub const S5_QEMU: &[u8] = b"\x08_S5_\x12\x06\x04\0\0\0\0";
