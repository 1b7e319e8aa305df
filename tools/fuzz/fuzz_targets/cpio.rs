//! Boot packages: every entry lies within the archive, and reading ends.
#![no_main]

use capos_cpio::Archive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let archive = Archive::new(bytes);
    let (mut entries, mut floor) = (0, 0);
    for entry in archive.entries().flatten() {
        let end = entry.data_offset() + entry.data().len();
        assert!(entry.data_offset() > floor && end <= bytes.len(), "entries lie behind each other");
        assert_eq!(bytes.get(entry.data_offset()..end), Some(entry.data()));
        assert!(!entry.name().is_empty() && entry.name().ends_with(entry.base_name()));
        (entries, floor) = (entries + 1, entry.data_offset());
    }
    assert!(entries <= bytes.len() / 110, "no entry is smaller than its header");
    let _ = archive.find("init");
});
