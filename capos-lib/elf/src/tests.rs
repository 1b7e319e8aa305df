//! Good files, and every way in which a file can be bad.

use crate::{ElfError, Image, Kind, Segment, Symbols, check_user};
use capos_abi::layout::{IMAGE_BASE, IMAGE_MAX};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::vec::Vec;

mod relocation;

/// Fewer cases under Miri, which is slow, and no files, which it forbids.
fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 8 } else { 512 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

struct Header {
    kind: u16,
    entry: u64,
    segments: Vec<(u32, u32, [u64; 5])>,
}

/// Type, flags (1 execute, 2 write, 4 read), offset, address, file size, memory size, alignment.
fn load(flags: u32, offset: u64, address: u64, file: u64, memory: u64) -> (u32, u32, [u64; 5]) {
    (1, flags, [offset, address, file, memory, 4096])
}

fn good() -> Header {
    Header {
        kind: 2,
        entry: IMAGE_BASE + 0x1010,
        segments: Vec::from([
            load(4, 0, IMAGE_BASE, 0x400, 0x400),
            load(5, 0x1000, IMAGE_BASE + 0x1000, 0x800, 0x800),
            load(6, 0x1800, IMAGE_BASE + 0x2800, 0x10, 0x4000),
        ]),
    }
}

fn bytes(header: &Header) -> Vec<u8> {
    let mut out = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    out.extend(header.kind.to_le_bytes());
    out.extend(62u16.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(header.entry.to_le_bytes());
    out.extend(64u64.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    for half in [64, 56, header.segments.len() as u16, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    for (kind, flags, [offset, address, file, memory, align]) in &header.segments {
        out.extend(kind.to_le_bytes());
        out.extend(flags.to_le_bytes());
        for word in [offset, address, address, file, memory, align] {
            out.extend(word.to_le_bytes());
        }
    }
    // Zeroes from the allocator: resizing writes byte by byte, which takes Miri a second.
    let mut file = std::vec![0; 0x2000];
    file[..out.len()].copy_from_slice(&out);
    file
}

fn check(header: &Header) -> Result<(), ElfError> {
    let file = bytes(header);
    check_user(&Image::parse(&file, file.len() as u64)?)
}

fn with(change: impl FnOnce(&mut Header)) -> Result<(), ElfError> {
    let mut header = good();
    change(&mut header);
    check(&header)
}

#[test]
fn a_good_program_passes_and_tells_its_segments() {
    let file = bytes(&good());
    let image = Image::parse(&file, file.len() as u64).unwrap();
    assert_eq!((image.kind(), image.entry()), (Kind::Fixed, IMAGE_BASE + 0x1010));
    let segments: Vec<Segment> = image.segments().collect();
    assert_eq!(segments.len(), 3);
    assert!(segments[1].access.execute && !segments[1].access.write && segments[2].access.write);
    assert_eq!(check_user(&image), Ok(()));
}

#[test]
fn every_truncation_of_the_headers_is_refused() {
    let file = bytes(&good());
    for len in 0..64 + 3 * 56 {
        assert!(Image::parse(&file[..len], file.len() as u64).is_err(), "{len} bytes");
    }
}

#[test]
fn foreign_files_are_refused() {
    for (at, value) in [(0, 0), (4, 1), (5, 2), (6, 2), (18, 3), (20, 2)] {
        let mut file = bytes(&good());
        file[at] = value;
        assert_eq!(Image::parse(&file, 0x2000).err(), Some(ElfError::NotElf64), "byte {at}");
    }
    assert_eq!(with(|it| it.kind = 1), Err(ElfError::WrongKind));
    assert_eq!(with(|it| it.kind = 3), Err(ElfError::WrongKind));
}

#[test]
fn a_bad_table_is_refused() {
    for (at, value) in [(54, 55u8), (33, 0xff), (33, 0x10), (56, 0xff), (39, 0xff)] {
        let mut file = bytes(&good());
        file[at] = value;
        assert_eq!(Image::parse(&file, 0x2000).err(), Some(ElfError::BadTable), "byte {at}");
    }
}

#[test]
fn segments_must_fit_the_file_and_memory() {
    assert_eq!(with(|it| it.segments[1].2[2] = 0x9000), Err(ElfError::BadSegment(1)));
    assert_eq!(with(|it| it.segments[1].2[0] = u64::MAX), Err(ElfError::BadSegment(1)));
    assert_eq!(with(|it| it.segments[2].2[3] = 1), Err(ElfError::BadSegment(2)));
    assert_eq!(with(|it| it.segments[2].2[1] = u64::MAX - 10), Err(ElfError::BadSegment(2)));
}

#[test]
fn policy_refuses_what_cannot_be_mapped_safely() {
    assert_eq!(with(|it| it.segments[1].1 = 7), Err(ElfError::WritableAndExecutable(1)));
    assert_eq!(with(|it| it.segments[1].2[1] += 8), Err(ElfError::Misaligned(1)));
    assert_eq!(with(|it| it.segments[0].2[1] = 0), Err(ElfError::OutOfBounds(0)));
    assert_eq!(with(|it| it.segments[2].2[3] = IMAGE_MAX), Err(ElfError::OutOfBounds(2)));
    assert_eq!(with(|it| it.segments[2].2[3] = 0x10), Ok(()));
    assert_eq!(with(|it| it.segments[2].2[1] = IMAGE_BASE + 0x1800), Err(ElfError::Overlap(2)));
    assert_eq!(with(|it| it.segments.swap(0, 1)), Err(ElfError::Overlap(1)));
    assert_eq!(with(|it| it.entry = IMAGE_BASE), Err(ElfError::BadEntry));
    assert_eq!(with(|it| it.entry = IMAGE_BASE + 0x1800), Err(ElfError::BadEntry));
    assert_eq!(with(|it| it.segments.clear()), Err(ElfError::NoSegments));
    assert_eq!(with(|it| it.segments.push((3, 4, [0; 5]))), Err(ElfError::Dynamic));
    assert_eq!(with(|it| it.segments.push((2, 4, [0; 5]))), Err(ElfError::Dynamic));
}

#[test]
fn symbols_name_the_function_that_holds_an_address() {
    let mut file = std::vec![0u8; 64];
    let names = b"\0alpha\0beta\0";
    let names_at = file.len();
    file.extend(names);
    let symbols_at = file.len();
    for (name, info, start, size) in
        [(1u32, 2u8, 0x1000u64, 0x20u64), (7, 2, 0x1020, 0x10), (1, 1, 0x5000, 8)]
    {
        file.extend(name.to_le_bytes());
        file.extend([info, 0, 1, 0]);
        file.extend(start.to_le_bytes());
        file.extend(size.to_le_bytes());
    }
    let table_at = file.len() as u64;
    let section = |kind: u32, link: u32, at: usize, len: usize| {
        let mut out = Vec::from(0u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend([0; 16]);
        out.extend((at as u64).to_le_bytes());
        out.extend((len as u64).to_le_bytes());
        out.extend(link.to_le_bytes());
        out.resize(64, 0);
        out
    };
    file.extend(section(3, 0, names_at, names.len()));
    file.extend(section(2, 0, symbols_at, 72));
    file[40..48].copy_from_slice(&table_at.to_le_bytes());
    file[58] = 64;
    file[60] = 2;
    let symbols = Symbols::of(&file).unwrap();
    assert_eq!(symbols.lookup(0x1000), Some(("alpha", 0)));
    assert_eq!(symbols.lookup(0x101f), Some(("alpha", 0x1f)));
    assert_eq!(symbols.lookup(0x1025), Some(("beta", 5)));
    assert_eq!(symbols.lookup(0x1030), None);
    assert_eq!(symbols.lookup(0x5000), None, "data is not code");
    for len in 0..file.len() {
        // Never panics, whatever is missing.
        let _ = Symbols::of(&file[..len]).and_then(|symbols| symbols.lookup(0x1000));
    }
}

proptest! {
    #![proptest_config(crate::tests::config())]

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..if cfg!(miri) { 300 } else { 4096 }), len in any::<u64>()) {
        if let Ok(image) = Image::parse(&bytes, len) {
            let _ = check_user(&image);
        }
        let _ = Symbols::of(&bytes).and_then(|symbols| symbols.lookup(0));
    }

    #[test]
    fn any_change_of_a_good_file_is_parsed_or_refused(at in 0usize..232, value in any::<u8>()) {
        let mut file = bytes(&good());
        file[at] = value;
        let Ok(image) = Image::parse(&file, file.len() as u64) else { return Ok(()) };
        if check_user(&image).is_ok() {
            for segment in image.segments() {
                assert!(segment.address >= IMAGE_BASE && segment.address + segment.memory_size <= IMAGE_MAX);
                assert!(segment.offset + segment.file_size <= file.len() as u64);
                assert!(!(segment.access.write && segment.access.execute));
            }
        }
    }
}

#[test]
fn errors_say_which_segment() {
    use std::string::ToString;
    assert_eq!(ElfError::WritableAndExecutable(2).to_string(), "segment 2 is writable and executable");
    assert_eq!(ElfError::BadRelocation(7).to_string(), "relocation 7 is not a plain relative one");
}

#[test]
fn only_the_first_page_is_looked_at() {
    let mut file = bytes(&good());
    let table: Vec<u8> = file[64..64 + 3 * 56].to_vec();
    // A table that begins in the first page and ends behind it.
    file[32..40].copy_from_slice(&0xfd0u64.to_le_bytes());
    file[0xfd0..0xfd0 + table.len()].copy_from_slice(&table);
    assert_eq!(Image::parse(&file, file.len() as u64).err(), Some(ElfError::BadTable));
}

#[test]
fn an_empty_segment_is_refused() {
    assert_eq!(with(|it| (it.segments[2].2[2], it.segments[2].2[3]) = (0, 0)), Err(ElfError::OutOfBounds(2)));
}

#[test]
fn neighbours_may_not_share_a_page() {
    // The last byte of the code's page belongs to the code; data may begin on the next page only.
    assert_eq!(with(|it| it.segments[1].2[3] = 0x1000), Ok(()));
    assert_eq!(with(|it| it.segments[1].2[3] = 0x1001), Err(ElfError::Overlap(2)));
}

#[test]
fn the_whole_program_area_may_be_used_and_no_more() {
    let room = IMAGE_MAX - (IMAGE_BASE + 0x2800);
    assert_eq!(with(|it| it.segments[2].2[3] = room), Ok(()));
    assert_eq!(with(|it| it.segments[2].2[3] = room + 1), Err(ElfError::OutOfBounds(2)));
}
