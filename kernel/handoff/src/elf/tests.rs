//! Kernels as the linker makes them, and as nobody should.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[derive(Clone)]
struct Header {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file: u64,
    memory: u64,
}

fn load(flags: u32, offset: u64, address: u64, file: u64, memory: u64) -> Header {
    Header { kind: PT_LOAD, flags, offset, address, file, memory }
}

fn elf(kind: u16, entry: u64, headers: &[Header], length: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; length];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16..18].copy_from_slice(&kind.to_le_bytes());
    bytes[18..20].copy_from_slice(&MACHINE_X86_64.to_le_bytes());
    bytes[24..32].copy_from_slice(&entry.to_le_bytes());
    bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    for (index, header) in headers.iter().enumerate() {
        let at = 64 + 56 * index;
        bytes[at..at + 4].copy_from_slice(&header.kind.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&header.flags.to_le_bytes());
        for (place, value) in
            [(8, header.offset), (16, header.address), (32, header.file), (40, header.memory), (48, 4096)]
        {
            bytes[at + place..at + place + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

fn good_headers(base: u64) -> [Header; 2] {
    [load(5, 0x1000, base, 0x100, 0x100), load(6, 0x2000, base + 0x1000, 0x80, 0x2000)]
}

fn fixed() -> Vec<u8> {
    let mut bytes = elf(TYPE_FIXED, KERNEL_BASE + 0x10, &good_headers(KERNEL_BASE), 0x2100);
    bytes[0x1010] = 0xc3;
    bytes[0x2000] = 0x55;
    bytes
}

/// A relocatable kernel with these relocations, linked at `base`.
fn relocatable(base: u64, relocations: &[(u64, u64, u64)]) -> Vec<u8> {
    let mut headers = good_headers(base).to_vec();
    let dynamic = Header { kind: PT_DYNAMIC, ..load(6, 0x2000, base + 0x1000, 0x40, 0x40) };
    headers.push(dynamic);
    let mut bytes = elf(TYPE_RELOCATABLE, base + 0x10, &headers, 0x2100);
    let words = [7, base + 0x40, 8, relocations.len() as u64 * 24, 9, 24, 0, 0];
    for (index, word) in words.iter().enumerate() {
        bytes[0x2000 + index * 8..0x2008 + index * 8].copy_from_slice(&word.to_le_bytes());
    }
    let flat = relocations.iter().flat_map(|&(a, b, c)| [a, b, c]);
    for (index, word) in flat.enumerate() {
        bytes[0x1040 + index * 8..0x1048 + index * 8].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn fault(bytes: &[u8]) -> ElfFault {
    KernelFile::parse(bytes).unwrap_err()
}

fn loaded(bytes: &[u8]) -> Result<Vec<u8>, ElfFault> {
    let file = KernelFile::parse(bytes)?;
    let mut image = vec![0; file.length as usize];
    file.load(&mut image)?;
    Ok(image)
}

#[test]
fn a_fixed_kernel_is_loaded() {
    let bytes = fixed();
    let file = KernelFile::parse(&bytes).unwrap();
    assert_eq!((file.base, file.length, file.entry), (KERNEL_BASE, 0x3000, KERNEL_BASE + 0x10));
    let image = loaded(&bytes).unwrap();
    assert_eq!((image[0x10], image[0x1000], image[0x2fff]), (0xc3, 0x55, 0));
    let segments: Vec<_> = file.segments().collect();
    assert!(segments[0].executable && !segments[0].writable);
    assert!(segments[1].writable && !segments[1].executable);
    assert_eq!(segments[1].pages(), (KERNEL_BASE + 0x1000, KERNEL_BASE + 0x3000));
}

#[test]
fn relocations_are_applied_where_it_was_linked() {
    let bytes = relocatable(KERNEL_BASE, &[(KERNEL_BASE + 0x1080, 8, KERNEL_BASE + 0x20), (0, 0, 0)]);
    let image = loaded(&bytes).unwrap();
    assert_eq!(u64_at(&image, 0x1080), Some(KERNEL_BASE + 0x20));
}

#[test]
fn a_kernel_linked_at_zero_slides_up() {
    let bytes = relocatable(0, &[(0x1080, 8, 0x20)]);
    let file = KernelFile::parse(&bytes).unwrap();
    assert_eq!((file.base, file.entry), (KERNEL_BASE, KERNEL_BASE + 0x10));
    assert_eq!(u64_at(&loaded(&bytes).unwrap(), 0x1080), Some(KERNEL_BASE + 0x20));
}

#[test]
fn other_relocations_are_refused() {
    let with_symbol = relocatable(KERNEL_BASE, &[(KERNEL_BASE + 0x1080, 1 << 32 | 1, 0)]);
    assert_eq!(loaded(&with_symbol).unwrap_err(), ElfFault::BadRelocation(1));
    let outside = relocatable(KERNEL_BASE, &[(KERNEL_BASE - 8, 8, 0)]);
    assert_eq!(loaded(&outside).unwrap_err(), ElfFault::BadRelocation(8));
    let at_the_edge = relocatable(KERNEL_BASE, &[(KERNEL_BASE + 0x2ffc, 8, 0)]);
    assert_eq!(loaded(&at_the_edge).unwrap_err(), ElfFault::BadRelocation(8));
}

#[test]
fn tables_of_other_forms_are_refused() {
    let mut bytes = relocatable(KERNEL_BASE, &[]);
    bytes[0x2000] = 35;
    assert_eq!(loaded(&bytes).unwrap_err(), ElfFault::BadRelocation(0));
    let mut bytes = relocatable(KERNEL_BASE, &[]);
    bytes[0x2028] = 25;
    assert_eq!(loaded(&bytes).unwrap_err(), ElfFault::BadRelocation(0));
    let mut bytes = relocatable(KERNEL_BASE, &[(0, 0, 0)]);
    bytes[0x2008..0x2010].copy_from_slice(&0x1234u64.to_le_bytes());
    assert_eq!(loaded(&bytes).unwrap_err(), ElfFault::Truncated);
}

#[test]
fn foreign_files_are_refused() {
    assert_eq!(fault(b""), ElfFault::NotX86_64);
    assert_eq!(fault(b"#!/bin/sh"), ElfFault::NotX86_64);
    let mut arm = fixed();
    arm[18] = 183;
    assert_eq!(fault(&arm), ElfFault::NotX86_64);
    let mut object = fixed();
    object[16] = 1;
    assert_eq!(fault(&object), ElfFault::NotExecutable);
    assert_eq!(fault(&fixed()[..40]), ElfFault::Truncated);
}

#[test]
fn program_headers_are_checked() {
    let mut sized = fixed();
    sized[54] = 32;
    assert_eq!(fault(&sized), ElfFault::BadProgramHeaders);
    let mut many = fixed();
    many[57] = 1;
    assert_eq!(fault(&many), ElfFault::BadProgramHeaders);
    let mut far = fixed();
    far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(fault(&far), ElfFault::Truncated);
    assert_eq!(fault(&elf(TYPE_FIXED, KERNEL_BASE, &[], 0x100)), ElfFault::NoSegments);
}

#[test]
fn segments_are_checked() {
    let one = |header: Header| fault(&elf(TYPE_FIXED, KERNEL_BASE, &[header], 0x2000));
    assert_eq!(one(load(5, 0x1000, KERNEL_BASE, 0x100, 0x80)), ElfFault::BadSegment);
    assert_eq!(one(load(5, 0x1000, KERNEL_BASE, 0x1001, 0x2000)), ElfFault::Truncated);
    assert_eq!(one(load(5, 0x1000, u64::MAX - 9, 0, 0x100)), ElfFault::BadSegment);
    assert_eq!(one(load(5, 0x1000, 0x10_0000, 1, 1)), ElfFault::TooLow(0x10_0000));
    assert_eq!(one(load(7, 0x1000, KERNEL_BASE, 1, 1)), ElfFault::WritableCode(KERNEL_BASE));
    assert_eq!(one(load(5, 0x1000, KERNEL_BASE, 1, MAX_IMAGE + 1)), ElfFault::TooLarge);
    assert_eq!(one(load(4, 0x1000, KERNEL_BASE, 1, 1)), ElfFault::BadEntry(KERNEL_BASE));
    let interpreter = Header { kind: PT_INTERP, ..load(4, 0, 0, 0, 0) };
    assert_eq!(one(interpreter), ElfFault::Interpreted);
}

#[test]
fn segments_keep_their_pages_for_themselves() {
    let [first, second] = good_headers(KERNEL_BASE);
    let touching = Header { address: KERNEL_BASE + 0x200, ..second.clone() };
    let both = elf(TYPE_FIXED, KERNEL_BASE, &[first.clone(), touching], 0x2100);
    assert_eq!(fault(&both), ElfFault::SharedPage(KERNEL_BASE + 0x200));
    let backward = elf(TYPE_FIXED, KERNEL_BASE, &[second, first], 0x2100);
    assert_eq!(fault(&backward), ElfFault::SharedPage(KERNEL_BASE));
}

#[test]
fn the_entry_must_be_code() {
    for entry in [KERNEL_BASE - 1, KERNEL_BASE + 0x100, KERNEL_BASE + 0x1000] {
        let bytes = elf(TYPE_FIXED, entry, &good_headers(KERNEL_BASE), 0x2100);
        assert_eq!(fault(&bytes), ElfFault::BadEntry(entry));
    }
}

proptest! {
    #[test]
    fn any_change_is_read_without_panic(changes in proptest::collection::vec((0usize..0x2100, any::<u8>()), 1..12), low: bool) {
        let base = if low { 0 } else { KERNEL_BASE };
        let mut bytes = relocatable(base, &[(base + 0x1080, 8, base), (base + 0x1088, 8, 7)]);
        for (place, value) in changes {
            // Most changes go where the structure is: headers, dynamic section, relocations.
            let place = match place % 4 { 0 => place % 0x110, 1 => 0x2000 + place % 0x40, 2 => 0x1040 + place % 0x30, _ => place };
            bytes[place] = value;
        }
        if let Ok(file) = KernelFile::parse(&bytes) {
            prop_assert!(file.length <= MAX_IMAGE);
            if file.length < 1 << 20 {
                let _ = loaded(&bytes);
            }
        }
    }
}
