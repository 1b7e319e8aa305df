//! The reader against archives of ours, of other tools, and of nobody in his right mind.

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;

use crate::{Archive, CpioError, DATA_ALIGNMENT, Fault, MAX_NAME_SIZE, TRAILER, WriteError, Writer};

/// An archive of ours with these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    let mut writer = Writer::new(&mut sink);
    for (name, data) in files {
        writer.file(name, data).unwrap();
    }
    let length = writer.finish();
    assert_eq!(length, bytes.len() as u64);
    bytes
}

/// An entry as other tools write it: word padding only.
fn foreign(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let size = data.len();
    let name_size = name.len() + 1;
    let mut bytes = format!(
        "070701{:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
        7, 1000, 1000, 1, 0x65, 8, 1, 0, 0, 0
    )
    .into_bytes();
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn only_fault(bytes: &[u8]) -> CpioError {
    let mut entries = Archive::new(bytes).entries().skip_while(Result::is_ok);
    let fault = entries.next().unwrap().unwrap_err();
    assert!(entries.next().is_none(), "nothing follows a fault");
    fault
}

fn names(bytes: &[u8]) -> Vec<String> {
    Archive::new(bytes).entries().map(|entry| entry.unwrap().name().to_string()).collect()
}

#[test]
fn written_files_are_read_again() {
    let bytes = archive(&[("kernel.elf", b"kernel"), ("init", b""), ("bin/shell", &[9; 5000])]);
    let entries: Vec<_> = Archive::new(&bytes).entries().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 3);
    assert_eq!((entries[0].name(), entries[0].data()), ("kernel.elf", &b"kernel"[..]));
    assert_eq!((entries[1].name(), entries[1].data()), ("init", &b""[..]));
    assert_eq!((entries[2].name(), entries[2].data()), ("bin/shell", &[9; 5000][..]));
    assert!(entries.iter().all(crate::Entry::is_file));
}

#[test]
fn data_starts_on_pages() {
    let bytes = archive(&[("a", &[1; 10]), ("b", &[2; 4096]), ("c", &[3; 4095]), ("d", b"")]);
    for entry in Archive::new(&bytes).entries() {
        let entry = entry.unwrap();
        assert_eq!(entry.data_offset() % DATA_ALIGNMENT, 0, "{}", entry.name());
        assert_eq!(&bytes[entry.data_offset()..entry.data_offset() + entry.data().len()], entry.data());
    }
}

#[test]
fn two_writes_are_identical() {
    let files: &[(&str, &[u8])] = &[("x", b"1"), ("y", b"22")];
    assert_eq!(archive(files), archive(files));
}

#[test]
fn an_empty_archive_has_no_entries() {
    assert!(names(&archive(&[])).is_empty());
}

#[test]
fn base_names_drop_folders() {
    let bytes = archive(&[("boot/files/init", b"x")]);
    assert_eq!(Archive::new(&bytes).entries().next().unwrap().unwrap().base_name(), "init");
}

#[test]
fn find_takes_the_first_file_of_that_name() {
    let bytes = archive(&[("init", b"first"), ("init", b"second")]);
    assert_eq!(Archive::new(&bytes).find("init").unwrap().unwrap().data(), b"first");
    assert_eq!(Archive::new(&bytes).find("other").unwrap(), None);
}

#[test]
fn find_passes_over_folders() {
    let mut bytes = foreign("init", 0o040_755, b"");
    bytes.extend(foreign("init", 0o100_644, b"file"));
    bytes.extend(foreign(TRAILER, 0, b""));
    assert_eq!(Archive::new(&bytes).find("init").unwrap().unwrap().data(), b"file");
}

#[test]
fn archives_of_other_tools_are_read() {
    let mut bytes = foreign(".", 0o040_755, b"");
    bytes.extend(foreign("a", 0o100_600, b"hello"));
    bytes.extend(foreign(TRAILER, 0, b""));
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let entries: Vec<_> = Archive::new(&bytes).entries().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 2);
    assert!(!entries[0].is_file());
    assert_eq!(entries[1].data(), b"hello");
}

#[test]
fn upper_and_lower_case_digits_are_read() {
    let mut bytes = foreign("a", 0o100_644, &[5; 0xab]);
    bytes.extend(foreign(TRAILER, 0, b""));
    let upper: Vec<u8> = bytes.iter().map(u8::to_ascii_uppercase).collect();
    assert_eq!(Archive::new(&bytes).entries().next().unwrap().unwrap().data().len(), 0xab);
    assert_eq!(Archive::new(&upper).entries().next().unwrap().unwrap().data().len(), 0xab);
}

#[test]
fn nothing_at_all_is_truncated() {
    assert_eq!(only_fault(b""), CpioError { at: 0, fault: Fault::Truncated });
}

#[test]
fn a_missing_trailer_is_truncated() {
    let bytes = foreign("a", 0o100_644, b"data");
    let fault = only_fault(&bytes);
    assert_eq!(fault, CpioError { at: bytes.len(), fault: Fault::Truncated });
}

#[test]
fn other_magic_numbers_are_refused() {
    for magic in [b"070702", b"070707", b"\x7fELF\x02\x01"] {
        let mut bytes = archive(&[("a", b"")]);
        bytes[..6].copy_from_slice(magic);
        assert_eq!(only_fault(&bytes).fault, Fault::BadMagic);
    }
}

#[test]
fn digits_must_be_hexadecimal() {
    for place in [6 + 8, 6 + 6 * 8 + 3, 6 + 11 * 8 + 7] {
        let mut bytes = archive(&[("a", b"")]);
        bytes[place] = b'g';
        assert_eq!(only_fault(&bytes).fault, Fault::BadDigit, "place {place}");
    }
}

#[test]
fn signs_are_not_digits() {
    let mut bytes = archive(&[("a", b"")]);
    bytes[6 + 6 * 8] = b'+';
    assert_eq!(only_fault(&bytes).fault, Fault::BadDigit);
}

#[test]
fn sizes_beyond_the_archive_are_refused() {
    let mut bytes = archive(&[("a", b"xyz")]);
    bytes[6 + 6 * 8..6 + 7 * 8].copy_from_slice(b"FFFFFFFF");
    assert_eq!(only_fault(&bytes).fault, Fault::Truncated);
}

#[test]
fn huge_names_are_refused() {
    let mut bytes = archive(&[("a", b"xyz")]);
    bytes[6 + 11 * 8..6 + 12 * 8].copy_from_slice(b"FFFFFFFF");
    assert_eq!(only_fault(&bytes).fault, Fault::NameTooLong);
}

#[test]
fn names_must_end_and_stay_ended() {
    let mut bytes = foreign("abc", 0o100_644, b"");
    bytes[110 + 3] = b'd';
    assert_eq!(only_fault(&bytes).fault, Fault::NameNotTerminated);
    let mut bytes = archive(&[("a", b"")]);
    bytes[200] = b'!';
    assert_eq!(only_fault(&bytes).fault, Fault::NameNotTerminated);
}

#[test]
fn a_name_of_size_zero_is_not_terminated() {
    let mut bytes = archive(&[("a", b"")]);
    bytes[6 + 11 * 8..6 + 12 * 8].copy_from_slice(b"00000000");
    assert_eq!(only_fault(&bytes).fault, Fault::NameNotTerminated);
}

#[test]
fn empty_and_foreign_names_are_refused() {
    let mut bytes = foreign("abc", 0o100_644, b"");
    bytes[110..113].fill(0);
    assert_eq!(only_fault(&bytes).fault, Fault::NameEmpty);
    let mut bytes = foreign("abc", 0o100_644, b"");
    bytes[111] = 0xff;
    assert_eq!(only_fault(&bytes).fault, Fault::NameNotUtf8);
}

#[test]
fn faults_say_where() {
    let mut bytes = archive(&[("a", b"xyz"), ("b", b"")]);
    let second = 4096 + 4;
    assert_eq!(&bytes[second..second + 6], b"070701");
    bytes[second] = b'9';
    let fault = only_fault(&bytes);
    assert_eq!(fault.at, second);
    assert_eq!(fault.to_string(), "the entry at byte 4100 is not a newc header");
}

#[test]
fn the_writer_refuses_names_that_cannot_be_read() {
    let mut sink = |_: &[u8]| ();
    let mut writer = Writer::new(&mut sink);
    let long = "n".repeat(MAX_NAME_SIZE - DATA_ALIGNMENT);
    assert_eq!(writer.file("", b""), Err(WriteError::NameEmpty));
    assert_eq!(writer.file("a\0b", b""), Err(WriteError::NameHasNul));
    assert_eq!(writer.file(TRAILER, b""), Err(WriteError::NameReserved));
    assert_eq!(writer.file(&long, b""), Err(WriteError::NameTooLong));
}

#[test]
fn a_refused_file_leaves_no_trace() {
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    let mut writer = Writer::new(&mut sink);
    assert!(writer.file("", b"lost").is_err());
    writer.file("a", b"kept").unwrap();
    writer.finish();
    assert_eq!(bytes, archive(&[("a", b"kept")]));
}

#[test]
fn the_longest_name_is_read_again() {
    let long = "n".repeat(MAX_NAME_SIZE - DATA_ALIGNMENT - 1);
    assert_eq!(names(&archive(&[("a", &[0; 3900]), (&long, b"x")])), vec!["a".to_string(), long]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for entry in Archive::new(&bytes).entries().flatten() {
            prop_assert!(entry.data().len() <= bytes.len());
        }
    }

    #[test]
    fn any_change_is_read_without_panic(place in 0usize..9000, value: u8) {
        let mut bytes = archive(&[("kernel.elf", &[1; 100]), ("init", &[2; 5000])]);
        let place = place % bytes.len();
        bytes[place] = value;
        let count = Archive::new(&bytes).entries().count();
        prop_assert!(count <= 3);
    }

    #[test]
    fn any_cut_is_a_fault(keep in 0usize..9000) {
        let bytes = archive(&[("kernel.elf", &[1; 100]), ("init", &[2; 100])]);
        // The trailer's own padding may be missing; nothing else may.
        let keep = keep % (bytes.len() - 4);
        prop_assert!(Archive::new(&bytes[..keep]).entries().any(|entry| entry.is_err()));
    }

    #[test]
    fn any_files_are_read_again(
        files in proptest::collection::vec(("[a-z./]{1,40}", proptest::collection::vec(any::<u8>(), 0..if cfg!(miri) { 600 } else { 6000 })), 0..6)
    ) {
        let given: Vec<(&str, &[u8])> = files.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
        let bytes = archive(&given);
        let entries: Vec<_> = Archive::new(&bytes).entries().map(Result::unwrap).collect();
        prop_assert_eq!(entries.len(), given.len());
        for (entry, (name, data)) in entries.iter().zip(&given) {
            prop_assert_eq!((&entry.name(), &entry.data()), (name, data));
            prop_assert_eq!(entry.data_offset() % DATA_ALIGNMENT, 0);
        }
    }
}
