//! Data that is written with its commit.

use super::disk::{Event, Memory, now};
use super::model::{DATA, LIMITS, check, mount};
use crate::{BLOCK, Limits, Pointer, Volume, format};
use alloc::vec;
use alloc::vec::Vec;

fn fresh(limits: Limits) -> Volume<Memory> {
    let disk = Memory::new(3000);
    now(format(&disk, 1, None)).unwrap();
    disk.state.record.set(true);
    now(Volume::mount(disk, limits)).unwrap().0
}

/// Writes blocks that are filled with a byte.
fn write(volume: &Volume<Memory>, fill: u8, count: usize) -> Vec<Pointer> {
    let mut pointers = vec![Pointer::NONE; count];
    now(volume.write_data(&vec![fill; count * BLOCK], &mut pointers)).unwrap();
    pointers
}

fn put(volume: &Volume<Memory>, key: u8, pointer: &Pointer) {
    let value = [[DATA, key].as_slice(), &pointer.to_bytes()].concat();
    now(volume.put(&[key], &value)).unwrap();
}

/// What is there is what was written.
fn is(volume: &Volume<Memory>, pointer: &Pointer, fill: u8) {
    let mut block = [0; BLOCK];
    now(volume.read_data(&[*pointer], &mut block)).unwrap();
    assert!(block == [fill; BLOCK]);
}

/// Blocks that were written, one list for each flush.
fn written(volume: &Volume<Memory>) -> Vec<Vec<u64>> {
    let events = volume.disk().state.events.take();
    let parts = events.split(|event| matches!(event, Event::Flush));
    let block = |event: &Event| if let Event::Write(block, _) = event { Some(*block) } else { None };
    parts.map(|part| part.iter().filter_map(block).collect()).collect()
}

#[test]
fn a_few_blocks_are_written_with_their_commit() {
    let volume = fresh(LIMITS);
    let pointers: Vec<Pointer> = (0..40).map(|fill| write(&volume, fill, 1)[0]).collect();
    assert_eq!(written(&volume), [[0u64; 0]], "nothing yet");
    // More than the cache keeps.
    pointers.iter().zip(0..).for_each(|(pointer, fill)| is(&volume, pointer, fill));
    pointers.iter().zip(0..).for_each(|(pointer, key)| put(&volume, key, pointer));
    now(volume.commit()).unwrap();
    let parts = written(&volume);
    assert_eq!(parts.len(), 4, "data and nodes, a superblock, and nothing behind it");
    assert!(parts[0].is_empty(), "what the mount found is durable first");
    assert!(pointers.iter().all(|pointer| parts[1].contains(&pointer.address)));
    assert!(parts[1].windows(2).all(|pair| pair[0] < pair[1]), "in one go: {:?}", parts[1]);
    assert_eq!((parts[2].len(), parts[3].len()), (1, 0));
    let volume = mount(volume.disk().clone());
    pointers.iter().zip(0..).for_each(|(pointer, fill)| is(&volume, pointer, fill));
    assert_eq!(check(&volume), []);
}

#[test]
fn what_is_freed_before_is_not_written() {
    let volume = fresh(LIMITS);
    let pointers = write(&volume, 1, 3);
    put(&volume, 1, &pointers[1]);
    volume.free(&pointers[0]).unwrap();
    volume.free(&pointers[2]).unwrap();
    now(volume.commit()).unwrap();
    // Their places may have been given to nodes.
    assert_eq!(written(&volume)[1].len(), 3, "a block of data, a leaf and a superblock");
    let volume = mount(volume.disk().clone());
    is(&volume, &pointers[1], 1);
    assert_eq!(check(&volume), []);
}

#[test]
fn many_blocks_are_written_at_once_and_so_are_few_when_there_are_many() {
    let volume = fresh(Limits { dirty: 8, ..LIMITS });
    now(volume.settle()).unwrap();
    written(&volume);
    write(&volume, 1, 9);
    assert_eq!(written(&volume)[0].len(), 9);
    let pointers: Vec<Pointer> = (0..10).map(|fill| write(&volume, fill, 1)[0]).collect();
    assert_eq!((volume.is_due(), written(&volume)[0].len()), (true, 6));
    volume.abort().unwrap();
    assert!(
        !volume.is_due()
            && pointers
                .iter()
                .any(|pointer| { now(volume.read_data(&[*pointer], &mut [0; BLOCK])).is_err() }),
        "what was dropped is gone"
    );
}

/// A commit that fails loses them, and says so; what comes then is sound.
#[test]
fn they_are_lost_with_their_commit() {
    let volume = fresh(LIMITS);
    let pointer = write(&volume, 1, 1)[0];
    put(&volume, 1, &pointer);
    volume.disk().state.bad.borrow_mut().push(pointer.address);
    let epoch = volume.epoch();
    assert!(now(volume.commit()).is_err() && volume.epoch() == epoch + 1);
    volume.disk().state.bad.borrow_mut().clear();
    let pointer = write(&volume, 2, 1)[0];
    put(&volume, 2, &pointer);
    now(volume.commit()).unwrap();
    is(&volume, &pointer, 2);
    assert_eq!(check(&volume), []);
}
