//! Who reads while something is changed, and who gives up waiting.

use super::disk::{Memory, now};
use super::model::{LIMITS, check, everything, get, mount};
use crate::{Disk, DiskError, Pointer, StoreError, Volume, format};
use alloc::rc::Rc;
use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// A disk in memory that makes everybody wait once for each thing it does, while it is slow.
pub struct Slow {
    pub memory: Memory,
    slow: Rc<Cell<bool>>,
}

impl Slow {
    async fn wait(&self) {
        let mut waited = !self.slow.get();
        poll_fn(|_| match core::mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

impl Disk for Slow {
    fn blocks(&self) -> u64 {
        self.memory.blocks
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.wait().await;
        self.memory.read(first, into).await
    }

    async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
        self.wait().await;
        self.memory.write(first, pieces).await
    }

    async fn flush(&self) -> Result<(), DiskError> {
        self.wait().await;
        self.memory.flush().await
    }

    async fn discard(&self, first: u64, count: u64) -> Result<(), DiskError> {
        self.memory.discard(first, count).await
    }
}

pub fn slow_volume() -> (Volume<Slow>, Rc<Cell<bool>>) {
    let memory = Memory::new(1000);
    now(format(&memory, 1, None)).unwrap();
    let slow = Rc::new(Cell::new(false));
    let disk = Slow { memory, slow: slow.clone() };
    let volume = now(Volume::mount(disk, LIMITS)).unwrap().0;
    for n in 0..1000u32 {
        now(volume.put(&n.to_be_bytes(), &[1; 100])).unwrap();
    }
    now(volume.commit()).unwrap();
    slow.set(true);
    (volume, slow)
}

/// The value of a key.
async fn value_of(volume: &Volume<Slow>, key: u32) -> [u8; 100] {
    let mut value = [0; 100];
    assert_eq!(volume.get(&key.to_be_bytes(), &mut value).await, Ok(Some(100)));
    value
}

fn read(volume: &Volume<Slow>, key: u32) -> u8 {
    patiently(value_of(volume, key))[0]
}

/// Runs what waits for a slow disk.
fn patiently<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

/// Everything can be read at every moment of a commit, as the changes left it; changing waits.
#[test]
fn a_commit_is_read_through() {
    let (volume, slow) = slow_volume();
    slow.set(false);
    for n in (0..1000u32).step_by(2) {
        now(volume.put(&n.to_be_bytes(), &[2; 100])).unwrap();
    }
    slow.set(true);
    let mut context = Context::from_waker(Waker::noop());
    let mut commit = pin!(volume.commit());
    let mut waits = 0;
    while commit.as_mut().poll(&mut context).is_pending() {
        waits += 1;
        for n in 0..1000 {
            assert_eq!(read(&volume, n), 2 - (n % 2) as u8);
        }
        assert_eq!(now(volume.put(b"a", b"b")), Err(StoreError::Busy));
        assert_eq!(volume.free(&Pointer::NONE), Err(StoreError::Busy));
        assert_eq!(volume.abort(), Err(StoreError::Busy));
    }
    assert!(waits >= 4, "{waits}");
}

/// A reader that waits for the disk while all that it was looking for is replaced, given back and written over finds what is there then.
#[test]
fn a_reader_that_was_overtaken() {
    for patience in 0..8 {
        let (volume, slow) = slow_volume();
        let disk = Slow { memory: volume.disk().memory.clone(), slow: slow.clone() };
        let volume = patiently(Volume::mount(disk, LIMITS)).unwrap().0;
        let mut context = Context::from_waker(Waker::noop());
        let mut get = pin!(value_of(&volume, 500));
        for _ in 0..patience {
            if get.as_mut().poll(&mut context).is_ready() {
                assert!(patience > 1);
                return;
            }
        }
        slow.set(false);
        for round in 2..6 {
            for n in 0..1000u32 {
                now(volume.put(&n.to_be_bytes(), &[round; 100])).unwrap();
            }
            now(volume.commit()).unwrap();
        }
        assert_eq!(now(get), [5; 100]);
    }
}

/// What it finds there counts as spoiled, since it does not know better; nothing is written to places that are others' by now.
#[test]
fn what_an_overtaken_reader_finds_is_not_mended() {
    let mut mistaken = 0;
    for commits in (20..110).step_by(3) {
        for patience in 1..3 {
            mistaken += u32::from(overtake(commits, patience));
        }
    }
    assert!(mistaken > 0, "{mistaken}");
}

/// A reader begins, waits, and goes on after some commits. Whether it took a place for spoiled.
fn overtake(commits: u32, patience: u32) -> bool {
    let (volume, slow) = slow_volume();
    slow.set(false);
    now(volume.settle()).unwrap();
    let disk = Slow { memory: volume.into_disk().memory, slow: slow.clone() };
    let volume = now(Volume::mount(disk, LIMITS)).unwrap().0;
    slow.set(true);
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut reader = pin!(value_of(&volume, 500));
        if (0..patience).any(|_| reader.as_mut().poll(&mut context).is_ready()) {
            return false;
        }
        slow.set(false);
        for n in 0..commits {
            let keys = (0..8).map(|k| (n * 97 + k * 131) % 1000).chain((n == 0).then_some(500));
            keys.for_each(|key| now(volume.put(&key.to_be_bytes(), &[3; 100])).unwrap());
            now(volume.commit()).unwrap();
            if n % 7 == 0 {
                now(volume.settle()).unwrap();
            }
        }
        while reader.as_mut().poll(&mut context).is_pending() {}
    }
    let mistaken = volume.spoils() > 0;
    now(volume.settle()).unwrap();
    let volume = mount(volume.into_disk().memory);
    assert_eq!(check(&volume), [], "{commits} commits, patience {patience}");
    assert_eq!(everything(&volume).unwrap().len(), 1000);
    mistaken
}

/// Who gives up in a commit has either changed nothing, or has to mount again.
#[test]
fn a_commit_that_nobody_waits_for() {
    for patience in 1..20 {
        let (volume, slow) = slow_volume();
        slow.set(false);
        now(volume.put(&7u32.to_be_bytes(), &[9; 100])).unwrap();
        slow.set(true);
        let done = {
            let mut context = Context::from_waker(Waker::noop());
            let mut commit = pin!(volume.commit());
            (0..patience).any(|_| commit.as_mut().poll(&mut context).is_ready())
        };
        slow.set(false);
        match now(volume.put(b"a", b"b")) {
            Ok(()) => {
                now(volume.commit()).unwrap();
                assert_eq!(read(&volume, 7), if done { 9 } else { 1 }, "after {patience} waits");
                assert_eq!(volume.epoch(), u64::from(!done));
            }
            Err(error) => assert_eq!(error, StoreError::Doubtful, "after {patience} waits"),
        }
        let again = mount(volume.disk().memory.clone());
        let value = get(&again, &7u32.to_be_bytes()).unwrap().unwrap();
        assert!(value == [9; 100] || !done && value == [1; 100]);
        assert_eq!(
            everything(&again).unwrap().len() - usize::from(get(&again, b"a").unwrap().is_some()),
            1000
        );
        if done {
            return;
        }
    }
    panic!("it never ended");
}
