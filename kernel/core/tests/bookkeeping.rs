//! The bookkeeping of `capos-lib` when the kernel heap runs out: fail the nth allocation, for every n, and nothing has changed.
//!
//! Here and not beside that code, because an allocator that fails on demand takes unsafe code, and the fake machine has one.

use capos_abi::{CapId, TransferSlot};
use capos_cap::{Entry, Mobility, Table, TableError, TransferError, transfer};
use capos_mem::{Backing, Bounds, Protection, Region, RegionError, Regions};
use capos_sched::{Deadlines, OutOfMemory, Priority, Rank, RunQueue};
use kernel_hal::fake::{fail_nth_allocation, never_fail};
use std::fmt::Debug;

/// Runs `operation` on what `prepare` makes, failing the nth allocation for every n; checks that it answers `shortage`, that `look`
/// sees no difference then, and that the same works afterwards. Gives the number of allocations that were made to fail.
fn exhaust<S, V: PartialEq + Debug, E: PartialEq + Debug + Copy>(
    shortage: E,
    prepare: impl Fn() -> S,
    look: impl Fn(&S) -> V,
    operation: impl Fn(&mut S) -> Result<(), E>,
) -> u64 {
    for n in 0..100 {
        let mut subject = prepare();
        let before = look(&subject);
        fail_nth_allocation(n);
        let outcome = operation(&mut subject);
        if never_fail() {
            assert_eq!(outcome, Ok(()), "no allocation failed");
            return n;
        }
        assert_eq!((outcome, look(&subject)), (Err(shortage), before), "allocation {n}");
        assert_eq!(operation(&mut subject), Ok(()), "after the failure of allocation {n}");
    }
    panic!("more than 100 allocations");
}

/// Runs `case` for several sizes, since a collection allocates only when it is full. At least one must have met a failure.
fn for_sizes(case: impl Fn(u32) -> u64) {
    let failures: u64 = (0..20).map(case).sum();
    assert!(failures > 0, "nothing was tested");
}

const PAGE: u64 = 4096;
const BOUNDS: Bounds =
    Bounds { start: PAGE, end: PAGE << 20, dynamic_start: PAGE << 10, dynamic_end: PAGE << 19 };

/// An address space with `size` regions of four pages each.
fn space(size: u32) -> Regions<u32> {
    let mut regions = Regions::new(BOUNDS, 1000);
    for n in 0..size {
        let start = PAGE * (16 + 8 * u64::from(n));
        let backing = (n % 2 == 0).then_some(Backing { object: n, first: 0 });
        regions.insert(Region { start, pages: 4, protection: Protection::Read, backing }).expect("room");
    }
    regions
}

fn regions(space: &Regions<u32>) -> Vec<Region<u32>> {
    space.iter().cloned().collect()
}

#[test]
fn reserving_address_space_is_all_or_nothing() {
    for_sizes(|size| {
        exhaust(RegionError::OutOfMemory, || space(size), regions, |space| space.reserve(3).map(|_| ()))
    });
}

#[test]
fn splitting_a_region_is_all_or_nothing() {
    for_sizes(|size| {
        let size = size + 2;
        let protect = |space: &mut Regions<u32>| space.protect(PAGE * 17, 2, Protection::ReadWrite);
        let commit = |space: &mut Regions<u32>| {
            space.commit(PAGE * 25, 2, Protection::Read, Backing { object: 99, first: 0 })
        };
        exhaust(RegionError::OutOfMemory, || space(size), regions, protect)
            + exhaust(RegionError::OutOfMemory, || space(size), regions, commit)
    });
}

#[test]
fn a_removal_that_was_prepared_needs_no_memory() {
    for_sizes(|size| {
        let size = size + 1;
        let failures = exhaust(
            RegionError::OutOfMemory,
            || space(size),
            regions,
            |space| space.removal(PAGE * 17, 2).map(drop),
        );
        let mut prepared = space(size);
        let removal = prepared.removal(PAGE * 17, 2).expect("memory");
        fail_nth_allocation(0);
        removal.remove();
        assert!(never_fail(), "it allocated");
        failures
    });
}

fn entry(object: u32) -> Entry<u32> {
    Entry { object, interface: 1, mobility: Mobility::Free, node: None }
}

fn table(size: u32) -> Table<u32> {
    let mut table = Table::new(1000);
    for object in 0..size {
        table.insert(entry(object)).expect("room");
    }
    table
}

fn entries(table: &Table<u32>) -> Vec<(CapId, Entry<u32>)> {
    table.iter().map(|(id, entry)| (id, entry.clone())).collect()
}

#[test]
fn an_insertion_gives_the_capability_back() {
    for_sizes(|size| {
        exhaust(
            TableError::OutOfMemory,
            || table(size),
            entries,
            |table| {
                table.insert(entry(99)).map(|_| ()).map_err(|refused| {
                    assert_eq!(refused.entry, entry(99));
                    refused.error
                })
            },
        )
    });
}

/// Two processes: four capabilities in the source, `size` others in the destination.
struct Pair {
    source: Table<u32>,
    destination: Table<u32>,
}

#[test]
fn a_transfer_is_all_or_nothing_at_every_allocation() {
    for_sizes(|size| {
        let slots = [
            TransferSlot::moved(CapId::new(0, 1)),
            TransferSlot::copy(CapId::new(1, 1)),
            TransferSlot::copy(CapId::new(1, 1)),
            TransferSlot::moved(CapId::new(3, 1)),
        ];
        let look = |pair: &Pair| (entries(&pair.source), entries(&pair.destination));
        exhaust(
            TransferError::OutOfMemory,
            || Pair { source: table(4), destination: table(size) },
            look,
            |pair| {
                let mut ids = [CapId::NULL; 4];
                let sent = transfer(&mut pair.source, &mut pair.destination, &slots, &mut (), &mut ids);
                assert_eq!(sent.is_ok(), ids.iter().all(|id| *id != CapId::NULL));
                sent.map(|_| ())
            },
        )
    });
}

const LOWEST: Rank = Rank::new(Priority::LOWEST, false);
const HIGHEST: Rank = Rank::new(Priority::HIGHEST, true);

#[test]
fn a_queue_that_has_no_room_admits_nobody() {
    for_sizes(|size| {
        let queue = || {
            let mut queue = RunQueue::new();
            for n in 0..size {
                queue.admit().expect("memory");
                queue.push(LOWEST, n).expect("room");
            }
            queue
        };
        let look = |queue: &RunQueue<u32>| queue.iter().map(|(_, n)| *n).collect::<Vec<u32>>();
        exhaust(OutOfMemory, queue, look, RunQueue::admit)
    });
}

#[test]
fn everything_but_admission_to_a_queue_needs_no_memory() {
    let mut queue = RunQueue::new();
    for _ in 0..20 {
        queue.admit().expect("memory");
    }
    fail_nth_allocation(0);
    let mut last = None;
    for n in 0..20 {
        last = queue.push(HIGHEST, n).ok();
    }
    assert_eq!(last.and_then(|handle| queue.remove(handle)), Some(19));
    while queue.pop().is_some() {}
    assert!(queue.push_front(LOWEST, 1).is_ok());
    assert!(never_fail(), "it allocated");
}

#[test]
fn an_alarm_that_finds_no_room_is_not_set() {
    for_sizes(|size| {
        let alarms = || {
            let mut alarms = Deadlines::new();
            for n in 0..size {
                alarms.insert(u64::from(n), Priority::LOWEST, n).expect("memory");
            }
            alarms
        };
        let look = |alarms: &Deadlines<u32>| (alarms.len(), alarms.next());
        exhaust(OutOfMemory, alarms, look, |alarms| alarms.insert(7, Priority::LOWEST, 7).map(|_| ()))
    });
}

#[test]
fn an_alarm_with_room_reserved_needs_no_memory() {
    let mut alarms = Deadlines::new();
    alarms.reserve(Priority::LOWEST, 20).expect("memory");
    fail_nth_allocation(0);
    for n in 0..20 {
        assert!(alarms.insert(20 - n, Priority::LOWEST, n).is_ok());
    }
    assert_eq!(alarms.pop_due(5), Some(19));
    assert!(never_fail(), "it allocated");
}
