//! A kernel image in bytes, asked and answered.

use std::vec;
use std::vec::Vec;

use super::answer::{Facts, Processors, answer, check_paging_mode, processor_record, stack_size};
use super::arena::Arena;
use super::scan::Requests;
use super::{COMMON_MAGIC, FEATURES, Feature};
use crate::boot::{File, Files};
use crate::bytes::{u64_at, until_nul};
use crate::map::{Kind, MemoryMap};
use crate::smbios::EntryPoints;
use crate::{HHDM, Refusal};

const TAG: [u64; 2] = [0xf956_2b2d_5c95_a6c8, 0x6a7b_3849_4453_6bdc];
const START: [u64; 4] =
    [0xf6b8_f4b3_9de7_d1ae, 0xfab9_1a69_40fc_b9cf, 0x785c_6ed0_15d3_e316, 0x181e_920a_7852_b9d9];
const END: [u64; 2] = [0xadc0_e053_1bb1_0d03, 0x9572_709f_3176_4c62];
const AT: u64 = HHDM + 0x10_0000;

fn image(parts: &[&[u64]]) -> Vec<u8> {
    parts.concat().into_iter().flat_map(u64::to_le_bytes).collect()
}

fn request(feature: Feature, revision: u64, members: &[u64]) -> Vec<u64> {
    let [first, second] = FEATURES[feature as usize].id;
    let mut words = vec![COMMON_MAGIC[0], COMMON_MAGIC[1], first, second, revision, 0];
    words.extend(members);
    words
}

fn tag(revision: u64) -> [u64; 3] {
    [TAG[0], TAG[1], revision]
}

/// Asks for one thing and returns the response's words and the arena.
fn ask(feature: Feature, facts: &Facts<'_>, records: Vec<u8>) -> Option<(Vec<u64>, Vec<u8>)> {
    let mut image = image(&[&tag(2), &request(feature, 0, &[])]);
    let requests = Requests::find(&mut image).unwrap();
    let mut bytes = records;
    bytes.resize(0x2000, 0);
    let mut arena = Arena::new(&mut bytes, AT);
    answer(&mut image, &requests, &mut arena, facts).unwrap();
    let address = u64_at(&image, 24 + 40).unwrap();
    (address != 0).then(|| {
        let at = (address - AT) as usize;
        let words = (0..14).map_while(|index| u64_at(&bytes, at + 8 * index)).collect();
        (words, bytes)
    })
}

fn files() -> Files<'static> {
    let mut files = Files::default();
    let file = |name, at, length| File { name, arguments: b"", at, length };
    files.push(file(b"kernel.elf", 0x20_0000, 0x1234)).unwrap();
    files.push(file(b"init", 0x30_0000, 5)).unwrap();
    files.push(File { arguments: b"one two", ..file(b"shell", 0x40_0000, 6) }).unwrap();
    files
}

fn with_facts<R>(check: impl FnOnce(Facts<'_>) -> R) -> R {
    let memory = MemoryMap::from_firmware([(0x10_0000, 0x10_0000, Kind::Usable)].into_iter()).unwrap();
    let files = files();
    check(Facts {
        command_line: b"panic=halt",
        kernel: files.kernel().unwrap(),
        files: &files,
        memory: &memory,
        root_pointer: 0xf_5ad0,
        smbios: EntryPoints { entry_32: 0xf_0000, entry_64: 0 },
        efi_system_table: 0,
        boot_time: Some(-1),
        kernel_address: (0x50_0000, crate::KERNEL_BASE),
        processors: None,
    })
}

fn text(bytes: &[u8], address: u64) -> &[u8] {
    until_nul(&bytes[(address - AT) as usize..])
}

#[test]
fn every_feature_is_at_its_number() {
    for (index, known) in FEATURES.iter().enumerate() {
        assert_eq!(known.feature as usize, index);
        let same = FEATURES.iter().filter(|other| other.id == known.id).count();
        assert_eq!(same, 1, "{}", known.name);
    }
}

#[test]
fn the_ids_are_those_of_the_protocol() {
    // Spot checks against PROTOCOL.md, typed a second time from there.
    assert_eq!(FEATURES[Feature::DirectMap as usize].id, [0x48dcf1cb8ad2b852, 0x63984e959a98244b]);
    assert_eq!(FEATURES[Feature::Processors as usize].id, [0x95a67b819a1b857e, 0xa0b61b723b6a73e0]);
    assert_eq!(FEATURES[Feature::Modules as usize].id, [0x3e7e279702be32af, 0xca1c4f3bd1280cee]);
}

#[test]
fn the_revision_spoken_here_is_marked() {
    let mut bytes = image(&[&tag(2)]);
    Requests::find(&mut bytes).unwrap();
    assert_eq!(bytes, image(&[&tag(0)]));
}

#[test]
fn later_revisions_are_left_for_the_kernel_to_refuse() {
    let mut bytes = image(&[&tag(3)]);
    Requests::find(&mut bytes).unwrap();
    assert_eq!(bytes, image(&[&tag(3)]));
}

#[test]
fn earlier_revisions_are_refused() {
    assert_eq!(Requests::find(&mut image(&[&[1, 2, 3]])).unwrap_err(), Refusal::NoBaseRevision);
    assert_eq!(Requests::find(&mut image(&[&tag(1)])).unwrap_err(), Refusal::OldBaseRevision(1));
    assert_eq!(Requests::find(&mut []).unwrap_err(), Refusal::NoBaseRevision);
}

#[test]
fn twice_the_same_request_is_refused() {
    let request = request(Feature::MemoryMap, 0, &[]);
    let mut bytes = image(&[&tag(2), &request, &request]);
    assert_eq!(Requests::find(&mut bytes).unwrap_err(), Refusal::DuplicateRequest("memory map"));
}

#[test]
fn delimiters_are_honoured() {
    let outside = request(Feature::MemoryMap, 0, &[]);
    let inside = request(Feature::DirectMap, 0, &[]);
    let mut bytes = image(&[&outside, &START, &tag(2), &inside, &END, &outside]);
    let requests = Requests::find(&mut bytes).unwrap();
    assert!(requests.has(Feature::DirectMap) && !requests.has(Feature::MemoryMap));
}

#[test]
fn a_request_cut_off_by_the_end_is_none() {
    let whole = request(Feature::DirectMap, 0, &[]);
    let mut bytes = image(&[&tag(2), &whole[..5]]);
    assert!(!Requests::find(&mut bytes).unwrap().has(Feature::DirectMap));
}

#[test]
fn unknown_requests_stay_null() {
    let unknown = [COMMON_MAGIC[0], COMMON_MAGIC[1], 1, 2, 0, 0];
    let mut bytes = image(&[&tag(2), &unknown]);
    let requests = Requests::find(&mut bytes).unwrap();
    with_facts(|facts| answer(&mut bytes, &requests, &mut Arena::new(&mut [], AT), &facts).unwrap());
    assert_eq!(bytes, image(&[&tag(0), &unknown]));
}

#[test]
fn stacks_have_a_least_and_a_most() {
    for (wanted, given) in [(0, 64 << 10), (0x2_0001, 0x2_1000), (u64::MAX, 16 << 20)] {
        let mut bytes = image(&[&tag(2), &request(Feature::StackSize, 0, &[wanted])]);
        let requests = Requests::find(&mut bytes).unwrap();
        assert_eq!(stack_size(&bytes, &requests), given);
    }
    let mut bytes = image(&[&tag(2)]);
    let requests = Requests::find(&mut bytes).unwrap();
    assert_eq!(stack_size(&bytes, &requests), 64 << 10);
}

#[test]
fn a_kernel_that_needs_five_levels_is_refused() {
    let check = |revision, members: &[u64]| {
        let mut bytes = image(&[&tag(2), &request(Feature::PagingMode, revision, members)]);
        let requests = Requests::find(&mut bytes).unwrap();
        check_paging_mode(&bytes, &requests)
    };
    assert_eq!(check(1, &[1, 1, 0]), Ok(()));
    assert_eq!(check(1, &[1, 1, 1]), Err(Refusal::FiveLevelPaging));
    assert_eq!(check(0, &[1, 1, 1]), Ok(()), "revision 0 has no such member");
}

#[test]
fn the_memory_map_is_told() {
    with_facts(|facts| {
        let (words, bytes) = ask(Feature::MemoryMap, &facts, vec![]).unwrap();
        assert_eq!(words[..2], [0, 2]);
        let second = u64_at(&bytes, (words[2] - AT) as usize + 8).unwrap();
        let at = (second - AT) as usize;
        let entry: Vec<_> = (0..3).map(|index| u64_at(&bytes, at + 8 * index).unwrap()).collect();
        assert_eq!(entry, [0x10_0000, 0x10_0000, 0]);
    });
}

#[test]
fn modules_are_all_files_but_the_kernel() {
    with_facts(|facts| {
        let (words, bytes) = ask(Feature::Modules, &facts, vec![]).unwrap();
        assert_eq!(words[..2], [0, 2]);
        let second = u64_at(&bytes, (words[2] - AT) as usize + 8).unwrap();
        let at = (second - AT) as usize;
        let record: Vec<_> = (0..5).map(|index| u64_at(&bytes, at + 8 * index).unwrap()).collect();
        assert_eq!(record[..3], [0, HHDM + 0x40_0000, 6]);
        assert_eq!(text(&bytes, record[3]), b"/shell");
        assert_eq!(text(&bytes, record[4]), b"one two");
    });
}

#[test]
fn the_kernel_is_told_about_itself() {
    with_facts(|facts| {
        let (words, bytes) = ask(Feature::KernelFile, &facts, vec![]).unwrap();
        let at = (words[1] - AT) as usize;
        assert_eq!(u64_at(&bytes, at + 8), Some(HHDM + 0x20_0000));
        assert_eq!(text(&bytes, u64_at(&bytes, at + 32).unwrap()), b"panic=halt");
        let (words, bytes) = ask(Feature::CommandLine, &facts, vec![]).unwrap();
        assert_eq!(text(&bytes, words[1]), b"panic=halt");
        let (words, _) = ask(Feature::KernelAddress, &facts, vec![]).unwrap();
        assert_eq!(words[..3], [0, 0x50_0000, crate::KERNEL_BASE]);
    });
}

#[test]
fn firmware_tables_are_direct_map_addresses() {
    with_facts(|mut facts| {
        assert_eq!(ask(Feature::RootPointer, &facts, vec![]).unwrap().0[..2], [0, HHDM + 0xf_5ad0]);
        assert_eq!(ask(Feature::Smbios, &facts, vec![]).unwrap().0[..3], [0, HHDM + 0xf_0000, 0]);
        assert_eq!(ask(Feature::EfiSystemTable, &facts, vec![]), None);
        assert_eq!(ask(Feature::FirmwareType, &facts, vec![]).unwrap().0[..2], [0, 0]);
        facts.efi_system_table = 0x7000;
        assert_eq!(ask(Feature::EfiSystemTable, &facts, vec![]).unwrap().0[..2], [0, HHDM + 0x7000]);
        assert_eq!(ask(Feature::FirmwareType, &facts, vec![]).unwrap().0[..2], [0, 2]);
        facts.root_pointer = 0;
        facts.smbios = EntryPoints::default();
        assert_eq!(ask(Feature::RootPointer, &facts, vec![]), None);
        assert_eq!(ask(Feature::Smbios, &facts, vec![]), None);
    });
}

#[test]
fn time_and_name_are_told() {
    with_facts(|mut facts| {
        assert_eq!(ask(Feature::BootTime, &facts, vec![]).unwrap().0[..2], [0, u64::MAX]);
        facts.boot_time = None;
        assert_eq!(ask(Feature::BootTime, &facts, vec![]), None);
        let (words, bytes) = ask(Feature::BootloaderInfo, &facts, vec![]).unwrap();
        assert_eq!(text(&bytes, words[1]), b"handoff");
        assert_eq!(text(&bytes, words[2]), crate::VERSION.as_bytes());
    });
}

#[test]
fn processors_are_listed_by_their_records() {
    let mut image = image(&[&tag(2), &request(Feature::Processors, 0, &[0])]);
    let requests = Requests::find(&mut image).unwrap();
    let mut bytes = vec![0; 0x1000];
    let mut arena = Arena::new(&mut bytes, AT);
    let records = [(0, 0), (1, 4)].map(|(uid, apic_id)| processor_record(&mut arena, uid, apic_id).unwrap());
    let records: &'static [u64] = records.to_vec().leak();
    with_facts(|mut facts| {
        facts.processors = Some(Processors { x2apic: true, boot_apic_id: 9, records });
        answer(&mut image, &requests, &mut arena, &facts).unwrap();
    });
    let at = (u64_at(&image, 64).unwrap() - AT) as usize;
    assert_eq!(u64_at(&bytes, at + 8), Some(9 << 32 | 1));
    assert_eq!(u64_at(&bytes, at + 16), Some(2));
    assert_eq!(u64_at(&bytes, (records[1] - AT) as usize), Some(4 << 32 | 1));
}

#[test]
fn a_full_arena_is_an_error() {
    with_facts(|facts| {
        let mut image = image(&[&tag(2), &request(Feature::Modules, 0, &[])]);
        let requests = Requests::find(&mut image).unwrap();
        let mut bytes = [0; 64];
        let result = answer(&mut image, &requests, &mut Arena::new(&mut bytes, AT), &facts);
        assert_eq!(result, Err(Refusal::OutOfMemory("protocol responses", 64)));
    });
}
