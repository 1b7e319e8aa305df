//! Superblocks: which one counts, and which are refused.

use super::disk::{Memory, now};
use super::model::{LIMITS, Pair, Step, mount};
use crate::pointer::checksum;
use crate::space::{Entry, LOG_MAX, Layout, Log, Span};
use crate::superblock::{BESIDE_MAX, Superblock};
use crate::tree::Root;
use crate::{BLOCK, DiskError, SlotState, Slots, StoreError, Volume, format, is_blank};

/// A pair with some commits, and its disk's slots in the order of their age, the newest first.
fn some_commits() -> (Pair, [u64; 2]) {
    let mut pair = Pair::new(300);
    for n in 0..6 {
        pair.step(&Step::Put(n, n)).unwrap();
        pair.step(&Step::Commit).unwrap();
    }
    let newest = Slots::ALL[usize::from(pair.volume.commit_number() % 2 == 1)];
    (pair, [newest, 255 - newest])
}

/// Changes a slot, and its checksum so that it is sound.
fn reseal(disk: &Memory, slot: u64, change: impl FnOnce(&mut [u8; BLOCK])) {
    let mut content = disk.state.content.borrow_mut();
    let bytes = content.get_mut(&slot).unwrap();
    change(bytes);
    let length = usize::try_from(u64::from_le_bytes(bytes[16..24].try_into().unwrap())).unwrap();
    let sum = checksum(&bytes[16..24 + length]);
    bytes[8..16].copy_from_slice(&sum.to_le_bytes());
}

/// Where the record's fields are: behind the slot's header, the stream's table and the root's pointer.
const FIELDS: usize = 24 + 8 + 8;

#[test]
fn the_newest_sound_one_counts() {
    let (pair, [newest, other]) = some_commits();
    let disk = pair.volume.disk().clone();
    let (_, mounted) = now(Volume::mount(disk.clone(), LIMITS)).unwrap();
    assert_eq!((mounted.slot, mounted.commit), (newest, pair.volume.commit_number()));
    disk.spoil(newest, 30);
    let (volume, mounted) = now(Volume::mount(disk.clone(), LIMITS)).unwrap();
    assert_eq!((mounted.slot, mounted.commit), (other, pair.volume.commit_number() - 1));
    assert!(mounted.slots.contains(&SlotState::Checksum));
    drop(volume);
    disk.spoil(other, 30);
    let slots = [SlotState::Checksum, SlotState::Checksum, SlotState::Absent];
    assert_eq!(now(Volume::mount(disk, LIMITS)).err(), Some(StoreError::NoVolume(slots)));
}

/// A commit with so much data that there is nothing beside its superblock.
fn commit_much(pair: &Pair) {
    for _ in 0..3 {
        let mut pointers = [crate::Pointer::NONE; 8];
        now(pair.volume.write_data(&[1; 8 * BLOCK], &mut pointers)).unwrap();
    }
    now(pair.volume.put(b"data", b"")).unwrap();
    now(pair.volume.commit()).unwrap();
}

/// Where the newest one's root cannot be read, the one before it counts.
#[test]
fn a_root_that_is_not_to_be_read() {
    let (pair, [_, newest]) = some_commits();
    commit_much(&pair);
    let disk = pair.volume.disk().clone();
    let commit = pair.volume.commit_number();
    let (records, ..) = pair.volume.roots();
    disk.spoil(records.pointer.address, 100);
    let (volume, mounted) = now(Volume::mount(disk, LIMITS)).unwrap();
    assert_eq!(mounted.commit, commit - 1);
    assert!(mounted.slots.contains(&SlotState::Root(commit)));
    // What comes next takes the place of the one that was bad.
    now(volume.put(b"x", b"y")).unwrap();
    now(volume.commit()).unwrap();
    let (_, mounted) = now(Volume::mount(volume.disk().clone(), LIMITS)).unwrap();
    assert_eq!((mounted.slot, mounted.commit), (newest, commit));
}

/// What is older than the two last commits was written over since: it does not count, whatever is left of these.
#[test]
fn an_old_commit_is_no_volume() {
    let mut pair = Pair::new(5000);
    for n in 0..6 {
        pair.step(&Step::Put(n, n)).unwrap();
        commit_much(&pair);
    }
    let disk = pair.volume.disk().clone();
    let (_, mounted) = now(Volume::mount(disk.clone(), LIMITS)).unwrap();
    let old = mounted.slots.iter().position(|state| matches!(state, SlotState::Sound(4))).unwrap();
    let block = pair.volume.roots().0.pointer.address;
    disk.spoil(block, 100);
    let before = Slots::ALL.into_iter().find(|slot| *slot != mounted.slot && *slot != Slots::ALL[old]);
    disk.spoil(before.unwrap(), 30);
    let error = StoreError::Corrupt { block, fault: crate::Fault::Checksum };
    assert_eq!(now(Volume::mount(disk, LIMITS)).err(), Some(error));
}

/// A newer program's volume is refused, even if an older slot could be read.
#[test]
fn what_is_not_known_is_refused() {
    let (pair, [newest, _]) = some_commits();
    let place = usize::from(newest == 255);
    let disk = pair.volume.disk().clone();
    reseal(&disk, newest, |bytes| bytes[FIELDS] = 9);
    let Some(StoreError::NoVolume(slots)) = now(Volume::mount(disk.clone(), LIMITS)).err() else { panic!() };
    assert_eq!(slots[place], SlotState::Version(9));
    reseal(&disk, newest, |bytes| {
        bytes[FIELDS] = 2;
        bytes[FIELDS + 8] = 6;
    });
    let Some(StoreError::NoVolume(slots)) = now(Volume::mount(disk.clone(), LIMITS)).err() else { panic!() };
    assert_eq!(slots[place], SlotState::Features(6));
    reseal(&disk, newest, |bytes| bytes[FIELDS + 8] = 0);
    mount(disk);
}

/// Every byte of a record may be anything: it is refused, or it means something.
#[test]
fn records_that_make_no_sense() {
    let (pair, slots) = some_commits();
    let content = pair.volume.disk().state.content.borrow().clone();
    let mut refused = 0;
    for at in 24..24 + 300 {
        for value in [0, 1, 0x7f, 0xff] {
            let disk = Memory::with(300, content.clone());
            for slot in slots {
                reseal(&disk, slot, |bytes| bytes[at] = value);
            }
            refused += usize::from(now(Volume::mount(disk, LIMITS)).is_err());
        }
    }
    assert!(refused > 300, "{refused}");
}

/// The largest record fits its slot.
#[test]
fn a_full_log_fits() {
    let blocks = 1 << 20;
    let mut log = Log::default();
    for n in 0..LOG_MAX as u64 {
        log.push(crate::space::Extent { span: Span { start: 100 + 2 * n, count: 1 }, free: n % 2 == 0 });
    }
    let pointer = crate::Pointer { address: 1000, birth: 7, checksum: u64::MAX, twin: 1001 };
    let superblock = Superblock {
        uuid: u128::MAX,
        layout: Layout::new(blocks).unwrap(),
        commit: 1 << 61,
        records: Root { pointer, level: 3 },
        snapshots: Root { pointer, level: 1 },
        used: 1000,
        held: 999,
        settled: (1 << 61) - 1,
        maps: Entry { checksum: 5, used: 999, copy: 2 },
        log,
        beside: (0..BESIDE_MAX as u64).map(|n| (500 + n, u64::MAX - n)).collect(),
    };
    assert!(Superblock::decode(&superblock.encode()) == Ok(superblock.clone()));
    let impossible = Superblock { held: superblock.used + 1, ..superblock };
    assert!(Superblock::decode(&impossible.encode()) == Err(SlotState::Malformed));
}

/// No commit goes where the one before it is; as long as all slots take what is written, they alternate between the first MiB and beyond.
#[test]
fn the_last_commit_is_left_alone() {
    for (blocks, other) in [(300, 255), (5000, 4095)] {
        for (commit, taken) in (1..20).flat_map(|commit| Slots::ALL.map(|taken| (commit, taken))) {
            let choices = Slots::choices(commit, blocks, taken);
            assert!(!choices.contains(&taken) && !choices.is_empty());
            assert!(choices.iter().all(|slot| *slot < blocks));
        }
        let mut taken = 0;
        for commit in 9..20 {
            taken = Slots::choices(commit, blocks, taken)[0];
            assert_eq!(taken, if commit % 2 == 0 { 0 } else { other });
        }
    }
}

/// A superblock that is not there any more is told from one that never was, as where a volume has just grown.
#[test]
fn a_slot_that_was_wiped_is_a_loss() {
    for slot in Slots::ALL {
        let mut pair = Pair::new(5000);
        for n in 0..3 {
            pair.step(&Step::Put(n, n)).unwrap();
            pair.step(&Step::Commit).unwrap();
        }
        let disk = pair.volume.disk().clone();
        disk.state.content.borrow_mut().remove(&slot);
        let (_, mounted) = now(Volume::mount(disk, LIMITS)).unwrap();
        assert_eq!(mounted.losses().collect::<alloc::vec::Vec<_>>(), [(slot, &SlotState::Wiped)]);
    }
}

#[test]
fn a_volume_that_has_just_grown_has_lost_nothing() {
    let disk = Memory::new(5000);
    now(format(&disk, 1, Some(1000))).unwrap();
    let volume = mount(disk.clone());
    for n in 0..5 {
        // It may be any of them, and be settled or not.
        if n == 1 {
            now(volume.grow(None)).unwrap();
        }
        now(volume.put(b"key", &[n])).unwrap();
        for what in ["committed", "settled"] {
            now(volume.commit()).unwrap();
            let (_, mounted) = now(Volume::mount(disk.clone(), LIMITS)).unwrap();
            assert_eq!(mounted.losses().count(), 0, "{n}, {what}: {:?}", mounted.slots);
        }
    }
}

/// One byte anywhere that somebody's format begins or ends with.
#[test]
fn a_disk_with_anything_on_it_is_not_blank() {
    let disk = Memory::new(5000);
    assert_eq!(now(is_blank(&disk)), Ok(true));
    for block in [0, 8, 16, 255, 4095, 4999] {
        let disk = Memory::new(5000);
        disk.spoil(block, 4095);
        assert_eq!(now(is_blank(&disk)), Ok(false), "block {block}");
    }
    let disk = Memory::new(5000);
    disk.spoil(100, 0);
    assert_eq!(now(is_blank(&disk)), Ok(true), "nobody looks at all of a disk");
    disk.state.bad.borrow_mut().push(4095);
    assert_eq!(now(is_blank(&disk)), Err(DiskError::Media));
}

/// Power goes at any moment while a volume is made: what is there then is still blank, or an empty volume.
#[test]
fn a_format_that_was_cut_off_is_seen() {
    let disk = Memory::new(5000);
    disk.state.record.set(true);
    now(format(&disk, 1, None)).unwrap();
    let events = disk.state.events.take();
    for end in 0..=events.len() {
        let disk = Memory::new(5000);
        for event in &events[..end] {
            if let super::disk::Event::Write(block, bytes) = event {
                disk.state.content.borrow_mut().insert(*block, bytes.clone());
            }
        }
        let is_empty = || mount(disk.clone()).is_empty();
        assert!(now(is_blank(&disk)).unwrap() || is_empty(), "after {end} events");
    }
    let volume = mount(disk);
    now(volume.put(b"key", b"value")).unwrap();
    assert!(volume.is_empty(), "not committed");
    now(volume.commit()).unwrap();
    assert!(!volume.is_empty());
    now(volume.snapshot(b"kept")).unwrap();
    now(volume.remove(b"key")).unwrap();
    now(volume.commit()).unwrap();
    assert!(!volume.is_empty(), "a snapshot has something");
}
