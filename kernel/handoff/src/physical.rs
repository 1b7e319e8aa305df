//! Physical memory as the parsers see it: checked reads, nothing else.

/// Read access to physical memory.
pub trait Physical<'m> {
    /// The `length` bytes at physical address `at`, if all of them can be read.
    fn bytes(&self, at: u64, length: u64) -> Option<&'m [u8]>;
}

/// The NUL-terminated string at `at`, without its end. Strings longer than `most` bytes are cut.
pub fn string<'m>(physical: &dyn Physical<'m>, at: u64, most: u64) -> Option<&'m [u8]> {
    physical.bytes(at, most).map(crate::bytes::until_nul)
}

#[cfg(test)]
pub(crate) mod fake {
    //! Memory for tests: a few ranges of bytes at chosen addresses.

    use std::vec::Vec;

    /// Ranges that can be read.
    pub(crate) struct Fake<'m>(pub(crate) Vec<(u64, &'m [u8])>);

    impl<'m> super::Physical<'m> for Fake<'m> {
        fn bytes(&self, at: u64, length: u64) -> Option<&'m [u8]> {
            self.0.iter().find_map(|&(base, bytes)| {
                let start = usize::try_from(at.checked_sub(base)?).ok()?;
                bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
            })
        }
    }
}
