//! Bytes in entries: the first two of an entry say how many follow. Any entry means something: a count beyond its end is cut.

/// Bytes that an entry of `WORDS` words carries.
pub const fn capacity<const WORDS: usize>() -> usize {
    WORDS * 8 - PREFIX
}

/// Bytes of the count.
const PREFIX: usize = 2;

/// An entry with as many of `bytes` as it carries, and how many that are.
pub fn pack<const WORDS: usize>(bytes: &[u8]) -> ([u64; WORDS], usize) {
    let count = bytes.len().min(capacity::<WORDS>());
    let prefix = (count as u16).to_le_bytes();
    let mut source = prefix.iter().chain(bytes.iter().take(count)).copied();
    let entry = [(); WORDS].map(|()| u64::from_le_bytes([(); 8].map(|()| source.next().unwrap_or(0))));
    (entry, count)
}

/// Gives the bytes of an entry to `take`, in order.
pub fn unpack<const WORDS: usize>(entry: &[u64; WORDS], mut take: impl FnMut(u8)) {
    let count = usize::from(entry.first().map_or(0, |word| *word as u16));
    let bytes = entry.iter().flat_map(|word| word.to_le_bytes());
    bytes.skip(PREFIX).take(count).for_each(&mut take);
}
