//! Little-endian numbers at offsets of foreign bytes: absent beyond the end, never a panic.

/// The `N` bytes at `at`.
pub fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The byte at `at`.
pub fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The 16-bit number at `at`.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// The 32-bit number at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// The 64-bit number at `at`.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// Writes a 64-bit number at `at`; says whether it fitted.
pub fn put_u64(bytes: &mut [u8], at: usize, value: u64) -> bool {
    let place = at.checked_add(8).and_then(|end| bytes.get_mut(at..end));
    place.map(|place| place.copy_from_slice(&value.to_le_bytes())).is_some()
}

/// The bytes before the first NUL, or all of them.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
}

/// Whether the bytes add up to zero, as every firmware table must.
pub fn sums_to_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(u8_at(&bytes, 8), Some(9));
        assert_eq!(u16_at(&bytes, 1), Some(0x0302));
        assert_eq!(u32_at(&bytes, 0), Some(0x0403_0201));
        assert_eq!(u64_at(&bytes, 1), Some(0x0908_0706_0504_0302));
    }

    #[test]
    fn nothing_is_read_or_written_beyond_the_end() {
        let mut bytes = [0; 8];
        assert_eq!(u64_at(&bytes, 1), None);
        assert_eq!(u16_at(&bytes, usize::MAX), None);
        assert!(!put_u64(&mut bytes, 1, 7));
        assert!(!put_u64(&mut bytes, usize::MAX, 7));
        assert!(put_u64(&mut bytes, 0, 7));
        assert_eq!(bytes, [7, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn strings_end_at_nul_or_at_the_end() {
        assert_eq!(until_nul(b"ab\0cd"), b"ab");
        assert_eq!(until_nul(b"ab"), b"ab");
        assert_eq!(until_nul(b""), b"");
    }

    #[test]
    fn sums_wrap() {
        assert!(sums_to_zero(&[200, 56]));
        assert!(!sums_to_zero(&[1]));
    }
}
