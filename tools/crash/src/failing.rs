//! A disk that fails one write: afterwards every question is answered as what is durable answers it.

use std::cell::Cell;

use capos_fs::{Domain, Fs, Kind};
use capos_store::{Disk, DiskError, Limits, Volume};

use crate::block_on;
use crate::dump::{DOMAINS, Dump, dump};
use crate::image::Image;
use crate::op::Op;
use crate::workload::base;

struct Failing {
    image: Image,
    /// Writes until one fails; none does at 0.
    left: Cell<u32>,
}

impl Disk for Failing {
    fn blocks(&self) -> u64 {
        self.image.blocks()
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.image.read(first, into).await
    }

    async fn write(&self, first: u64, data: &[&[u8]]) -> Result<(), DiskError> {
        match self.left.replace(self.left.get().saturating_sub(1)) {
            1 => Err(DiskError::Media),
            _ => self.image.write(first, data).await,
        }
    }

    async fn flush(&self) -> Result<(), DiskError> {
        self.image.flush().await
    }

    async fn discard(&self, first: u64, count: u64) -> Result<(), DiskError> {
        self.image.discard(first, count).await
    }
}

fn mount<D: Disk>(disk: D) -> Fs<Volume<D>> {
    let (volume, _) = block_on(Volume::mount(disk, Limits::default())).unwrap();
    block_on(Fs::mount(volume)).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum First {
    Sync,
    Objects,
    Domains,
    Names,
}

/// How many objects there are, what the domains use, what is under which name.
type Answers = (Option<u64>, Vec<Domain>, Dump);

/// What is asked first, and then all of it: who asks first is not to matter to the others, nor to be told what is lost.
fn ask<D: Disk>(fs: &Fs<Volume<D>>, first: First) -> (Answers, Answers) {
    let objects = || Some(block_on(fs.objects()).unwrap());
    let domains = || (0..DOMAINS.end).map(|number| block_on(fs.domain(number)).unwrap()).collect();
    let names = || block_on(dump(fs)).unwrap();
    let mut early = Answers::default();
    match first {
        First::Sync => block_on(fs.sync(fs.epoch())).unwrap(),
        First::Objects => early.0 = objects(),
        First::Domains => early.1 = domains(),
        First::Names => early.2 = names(),
    }
    (early, (objects(), domains(), names()))
}

/// True when the commit failed.
fn lose(image: &Image, write: u32, first: First) -> Option<bool> {
    let fs = mount(Failing { image: image.clone(), left: Cell::new(0) });
    let since = fs.epoch();
    fs.volume().disk().left.set(write);
    let text = str::to_owned;
    let ops = [
        Op::Make(Kind::File, text("new")),
        Op::Bind(text("g"), text("room/y"), false),
        Op::Write(text("own/x"), 9000, 20_000, 7),
        // A small commit would be tried once more.
        Op::Write(text("f"), 0, 400_000, 7),
        Op::Remove(text("d/x")),
        Op::Truncate(text("sparse"), 100),
    ];
    for (number, op) in ops.iter().enumerate() {
        block_on(op.carry_out(&fs, number));
    }
    let done = block_on(fs.sync(since));
    if fs.volume().disk().left.get() > 0 {
        return None;
    }
    if fs.epoch() == since {
        return Some(false);
    }
    assert!(done.is_err());
    let durable = || ask(&mount(fs.volume().disk().image.clone()), first);
    assert!(ask(&fs, first) == durable(), "write {write}, {first:?}");
    block_on(fs.sync(fs.epoch())).unwrap();
    assert!(block_on(fs.check()).unwrap().is_empty(), "write {write}, {first:?}");
    assert!(ask(&fs, first) == durable(), "write {write}, {first:?}");
    Some(true)
}

#[test]
fn what_a_failed_write_lost_nobody_sees() {
    let (image, _) = base();
    for first in [First::Sync, First::Objects, First::Domains, First::Names] {
        let lost = (1..).map_while(|write| lose(&image, write, first)).filter(|is_lost| *is_lost).count();
        assert!(lost > 0);
    }
}
