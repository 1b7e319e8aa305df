//! Programs from anybody. What passes the policy must be safe to map, whatever else the file says.
#![no_main]

use capos_abi::layout::{IMAGE_BASE, IMAGE_MAX};
use capos_elf::{Image, Relocations, Symbols, check_user};
use libfuzzer_sys::fuzz_target;

const PAGE: u64 = capos_abi::PAGE_SIZE as u64;

fuzz_target!(|file: &[u8]| {
    let symbols = Symbols::of(file);
    if let Some(symbols) = symbols {
        for address in [0, 0x1000, IMAGE_BASE, u64::MAX] {
            let _ = symbols.lookup(address);
        }
    }
    let Ok(image) = Image::parse(file, file.len() as u64) else { return };
    relocations(&image, file);
    if check_user(&image).is_ok() {
        mappable(&image, file);
    }
});

/// Everything that the loader relies on.
fn mappable(image: &Image<'_>, file: &[u8]) {
    let (mut floor, mut entry_is_code) = (IMAGE_BASE, false);
    for segment in image.segments() {
        let end = segment.address + segment.memory_size;
        assert!(segment.address >= floor && end <= IMAGE_MAX, "in the program area, in order");
        assert!(
            segment.offset + segment.file_size <= file.len() as u64
                && segment.file_size <= segment.memory_size
        );
        assert!(!(segment.access.write && segment.access.execute));
        assert_eq!(segment.address % PAGE, segment.offset % PAGE);
        entry_is_code |= segment.access.execute && (segment.address..end).contains(&image.entry());
        floor = end.next_multiple_of(PAGE);
    }
    assert!(entry_is_code);
}

fn relocations(image: &Image<'_>, file: &[u8]) {
    let Ok(relocations) = Relocations::of(image, file) else { return };
    for relocation in relocations {
        let end = relocation.address.checked_add(8).expect("checked before");
        assert!(
            image.segments().any(|it| it.address <= relocation.address && end <= it.address + it.memory_size)
        );
    }
}
