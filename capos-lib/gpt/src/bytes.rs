//! Numbers in what was read.

use uguid::Guid;

/// So many bytes from there, if they are there.
pub fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub fn u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub fn u64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

pub fn guid(bytes: &[u8], at: usize) -> Option<Guid> {
    array(bytes, at).map(Guid::from_bytes)
}

/// The checksum of all of these, one after the other (UEFI 2.10, 5.3.1: that of ISO 3309).
pub fn checksum(pieces: &[&[u8]]) -> u32 {
    const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    pieces.iter().for_each(|piece| digest.update(piece));
    digest.finalize()
}
