//! Firmware maps as they come, and what allocations leave of them.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn map(entries: &[(u64, u64, Kind)]) -> MemoryMap {
    MemoryMap::from_firmware(entries.iter().copied()).unwrap()
}

fn kinds(map: &MemoryMap) -> Vec<(u64, u64, Kind)> {
    map.regions().iter().map(|region| (region.base, region.end, region.kind)).collect()
}

#[test]
fn a_pc_map_is_sorted_and_rounded() {
    let map = map(&[
        (0x10_0000, 0x5f0_0000, Kind::Usable),
        (0, 0x9_fc00, Kind::Usable),
        (0x9_fc00, 0x400, Kind::Reserved),
    ]);
    assert_eq!(
        kinds(&map),
        [
            (0, 0x1000, Kind::Reserved),
            (0x1000, 0x9_f000, Kind::Usable),
            (0x9_fc00, 0xa_0000, Kind::Reserved),
            (0x10_0000, 0x600_0000, Kind::Usable),
        ]
    );
}

#[test]
fn what_is_not_usable_wins() {
    let map = map(&[(0x1000, 0x9000, Kind::Usable), (0x3800, 0x1000, Kind::AcpiNvs)]);
    assert_eq!(
        kinds(&map)[1..],
        [(0x1000, 0x3000, Kind::Usable), (0x3800, 0x4800, Kind::AcpiNvs), (0x5000, 0xa000, Kind::Usable),]
    );
}

#[test]
fn a_machine_without_memory_is_refused() {
    let nothing = MemoryMap::from_firmware([(0x1000, 0x1000, Kind::Reserved)].into_iter());
    assert_eq!(nothing.unwrap_err(), Refusal::NoMemoryMap);
}

#[test]
fn regions_at_the_end_of_the_world_do_not_wrap() {
    let map = map(&[(0x1000, 0x1000, Kind::Usable), (u64::MAX - 10, 100, Kind::Reserved)]);
    assert_eq!(map.regions().last().unwrap().end, u64::MAX);
}

#[test]
fn claims_split_regions() {
    let mut map = map(&[(0x10_0000, 0x10_0000, Kind::Usable)]);
    assert!(map.claim(0x14_0010, 0x20, Kind::KernelAndModules).unwrap());
    assert_eq!(
        kinds(&map)[1..],
        [
            (0x10_0000, 0x14_0000, Kind::Usable),
            (0x14_0000, 0x14_1000, Kind::KernelAndModules),
            (0x14_1000, 0x20_0000, Kind::Usable),
        ]
    );
    assert!(!map.claim(0x14_0000, 1, Kind::Reclaimable).unwrap(), "claimed memory is not usable");
    assert!(!map.claim(0x1f_f000, 0x2000, Kind::Reclaimable).unwrap(), "all of it must be usable");
    assert!(!map.claim(u64::MAX - 5, 100, Kind::Reclaimable).unwrap());
}

#[test]
fn what_is_in_use_is_claimed_wherever_it_is_usable() {
    let entries = [
        (0x10_0000, 0x1_0000, Kind::Usable),
        (0x11_0000, 0x1000, Kind::AcpiNvs),
        (0x11_1000, 0x1_0000, Kind::Usable),
    ];
    let mut map = map(&entries);
    map.claim_usable_parts(0x10_f800, 0x2000, Kind::KernelAndModules).unwrap();
    assert_eq!(
        kinds(&map)[1..],
        [
            (0x10_0000, 0x10_f000, Kind::Usable),
            (0x10_f000, 0x11_0000, Kind::KernelAndModules),
            (0x11_0000, 0x11_1000, Kind::AcpiNvs),
            (0x11_1000, 0x11_2000, Kind::KernelAndModules),
            (0x11_2000, 0x12_1000, Kind::Usable),
        ]
    );
    assert!(map.is_all(0x10_f800, 0x800, Kind::KernelAndModules));
    assert!(!map.is_all(0x10_f800, 0x2000, Kind::KernelAndModules));
    map.claim_usable_parts(u64::MAX - 5, 100, Kind::KernelAndModules).unwrap();
}

#[test]
fn neighbouring_claims_join() {
    let mut map = map(&[(0x10_0000, 0x10_0000, Kind::Usable)]);
    for page in 0..8 {
        assert!(map.claim(0x18_0000 + page * PAGE, PAGE, Kind::Reclaimable).unwrap());
    }
    assert_eq!(map.regions().len(), 4);
}

#[test]
fn allocation_takes_the_highest_place() {
    let mut map = map(&[(0x10_0000, 0x10_0000, Kind::Usable), (0x1_0000_0000, 0x1000_0000, Kind::Usable)]);
    let below_4g = map.allocate(Want::pages(0x1800, Kind::Reclaimable)).unwrap();
    assert_eq!(below_4g, Some(0x1f_e000));
    let any = Want { below: u64::MAX, align: 0x20_0000, ..Want::pages(5, Kind::Reclaimable) };
    assert_eq!(map.allocate(any).unwrap(), Some(0x1_0fe0_0000));
}

#[test]
fn allocation_says_when_there_is_no_room() {
    let mut map = map(&[(0x1000, 0x9000, Kind::Usable)]);
    assert_eq!(map.allocate(Want::pages(1, Kind::Reclaimable)).unwrap(), None, "low memory is spared");
    let low = Want { from: 0x1000, below: 0x8000, ..Want::pages(PAGE, Kind::Reclaimable) };
    assert_eq!(map.allocate(low).unwrap(), Some(0x7000));
    assert_eq!(map.allocate(Want::pages(u64::MAX, Kind::Reclaimable)).unwrap(), None);
}

#[test]
fn too_many_regions_are_refused() {
    let entries = (0..2000u64).map(|index| (index * 0x2000, 0x1000, Kind::Reserved));
    assert_eq!(MemoryMap::from_firmware(entries).unwrap_err(), Refusal::TooManyRegions);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Usable), Just(Kind::Reserved), Just(Kind::AcpiReclaimable)]
}

proptest! {
    #[test]
    fn maps_keep_their_promise(
        entries in proptest::collection::vec((0u64..0x40_0000, 0u64..0x20_0000, any_kind()), 1..30),
        sizes in proptest::collection::vec(1u64..0x8000, 0..20),
    ) {
        let mut all = entries.clone();
        all.push((0x1000_0000, 0x100_0000, Kind::Usable));
        let mut map = map(&all);
        let mut taken = vec![];
        for size in sizes {
            if let Some(base) = map.allocate(Want::pages(size, Kind::Reclaimable)).unwrap() {
                taken.push((base, size));
            }
        }
        for pair in map.regions().windows(2) {
            prop_assert!(pair[0].end <= pair[1].base);
        }
        for region in map.regions() {
            prop_assert!(region.base < region.end);
            if matches!(region.kind, Kind::Usable | Kind::Reclaimable) {
                prop_assert_eq!((region.base % PAGE, region.end % PAGE), (0, 0));
                for &(base, length, kind) in &entries {
                    prop_assert!(kind == Kind::Usable || base >= region.end || base + length <= region.base || length == 0);
                }
            }
        }
        for (base, size) in taken {
            prop_assert!(map.regions().iter().any(|r| r.kind == Kind::Reclaimable && r.base <= base && base + size <= r.end));
        }
    }
}
