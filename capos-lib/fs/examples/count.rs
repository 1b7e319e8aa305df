//! What reading and writing cost above a disk in memory, to be run under callgrind:
//!
//! ```text
//! cargo build --release -p capos-fs --example count
//! valgrind --tool=callgrind --toggle-collect='count::measured*' target/release/examples/count WHAT
//! ```
//!
//! WHAT is `write`, `read` or `none`; each is done 1,000 times.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use capos_fs::{Creation, Fs, Kind, ObjectId, Stamp};
use capos_store::{BLOCK, Disk, DiskError, Limits, Volume};

/// How often each is done.
const TIMES: u64 = 1000;
/// Blocks of the file.
const FILE: u64 = 4096;

struct Memory(RefCell<Vec<u8>>);

impl Disk for Memory {
    fn blocks(&self) -> u64 {
        (self.0.borrow().len() / BLOCK) as u64
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let at = first as usize * BLOCK;
        into.copy_from_slice(&self.0.borrow()[at..at + into.len()]);
        Ok(())
    }

    async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
        let mut at = first as usize * BLOCK;
        for piece in pieces {
            self.0.borrow_mut()[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn discard(&self, _: u64, _: u64) -> Result<(), DiskError> {
        Ok(())
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

async fn prepare() -> (Fs<Volume<Memory>>, ObjectId) {
    let memory = Memory(RefCell::new(vec![0; 64 << 20]));
    capos_store::format(&memory, 1, None).await.expect("it is large enough");
    let (volume, _) = Volume::mount(memory, Limits::default()).await.expect("it was formatted");
    Fs::format(&volume, Stamp::default()).await.expect("it is empty");
    let fs = Fs::mount(volume).await.expect("it has files");
    let opened = fs.open(ObjectId::ROOT, b"file", Kind::File, Creation::Always, Stamp::default()).await;
    let file = opened.expect("it is new").object;
    for block in 0..FILE {
        fs.write(file, block * BLOCK as u64, &[1; BLOCK], Stamp::default()).await.expect("there is room");
    }
    fs.sync(0).await.expect("the disk works");
    (fs, file)
}

/// Numbers all over the file.
fn place(number: u64) -> u64 {
    number.wrapping_mul(2_654_435_761) % FILE * BLOCK as u64
}

#[inline(never)]
fn measured(fs: &Fs<Volume<Memory>>, file: ObjectId, what: &str) {
    let mut block = [7; BLOCK];
    for number in 0..TIMES {
        match what {
            "write" => block_on(async {
                fs.write(file, place(number), &block, Stamp::default()).await.expect("there is room");
                fs.sync(0).await.expect("the disk works");
            }),
            "read" => {
                let read = block_on(fs.read(file, place(number % 8), &mut block));
                assert_eq!(read, Ok(BLOCK));
            }
            _ => {}
        }
    }
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let (fs, file) = block_on(prepare());
    // What is read is in memory then.
    (0..8).for_each(|number| {
        block_on(fs.read(file, place(number), &mut [0; BLOCK])).expect("it was written");
    });
    measured(&fs, file, &what);
}
