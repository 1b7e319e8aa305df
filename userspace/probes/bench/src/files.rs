//! Files and blobs: application, volume, block service and driver each in its own address space.

use crate::measure::{Bench, Region};
use alloc::vec;
use rt::generated::{FileClient, NamespaceClient, StoreClient};
use rt::region::Region as Memory;
use rt::schema::directory::Creation;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, Env, EnvError};

/// Bytes of the file, and of what is read and written of it.
const FILE: u64 = 16 << 20;
const PIECE: u32 = 4096;
/// Steps from one piece to the next in what looks like no order: odd, so that all have their turn.
const STRIDE: u64 = 1_103;
/// Regions of a figure, and what each does.
const SAMPLES: usize = 15;
const TIMES: u64 = 16;
/// Most bytes that one message carries.
const INLINE: usize = 4000;

/// What is measured.
pub struct Files {
    root: NamespaceClient,
    store: StoreClient,
}

impl Files {
    /// If this is about that.
    pub fn wanted(env: &mut Env) -> Result<Option<Files>, EnvError> {
        match env.client("root") {
            Ok(root) => Ok(Some(Files { root, store: env.client("store")? })),
            Err(_) => Ok(None),
        }
    }

    /// All of it.
    pub fn measure(&self, bench: &Bench) -> Result<(), CallError> {
        let home = self.root.open_directory_blocking(Creation::Missing, "bench")?;
        let file = home.open_file_blocking(Creation::Missing, true, "file")?;
        let memory = rt::threads::memory().create_object_blocking(PIECE.into())?;
        let shown = Memory::map(&memory, 0, PIECE.into(), Protection::ReadWrite)?;
        file.attach_blocking(&memory)?;
        for offset in (0..FILE).step_by(PIECE as usize) {
            shown.store(0, offset);
            file.write_from_blocking(offset, 0, PIECE)?;
        }
        file.sync_blocking()?;
        self.contents(bench, &file, &shown)?;
        self.blobs(bench)
    }

    fn contents(&self, bench: &Bench, file: &FileClient, shown: &Memory) -> Result<(), CallError> {
        let place = |turn: u64| turn * STRIDE % (FILE / u64::from(PIECE)) * u64::from(PIECE);
        many(bench, "file.read4k.cached", |turn| {
            // Few enough that they are all still there.
            file.read_into_blocking(place(turn % TIMES), 0, PIECE).map(drop)
        })?;
        many(bench, "file.write4k.sync", |turn| {
            shown.store(8, turn);
            file.write_from_blocking(place(turn), 0, PIECE)?;
            file.sync_blocking()
        })
    }

    fn blobs(&self, bench: &Bench) -> Result<(), CallError> {
        let mut bytes = vec![7; INLINE];
        let mut hash = None;
        many(bench, "store.put4k", |turn| {
            if let Some(begin) = bytes.first_chunk_mut() {
                *begin = turn.to_le_bytes();
            }
            hash = Some(self.store.put_blocking(&bytes)?.hash);
            Ok(())
        })?;
        let hash = hash.unwrap_or_default();
        many(bench, "store.get4k", |_| {
            self.store.get_blocking(&hash)?.read_blocking(0, INLINE as u32).map(drop)
        })
    }
}

/// Counts what `each` takes.
fn many(
    bench: &Bench,
    name: &str,
    mut each: impl FnMut(u64) -> Result<(), CallError>,
) -> Result<(), CallError> {
    if !bench.wants(name) {
        return Ok(());
    }
    let mut turn = 0;
    for _ in 0..=SAMPLES {
        let region = Region::start();
        for _ in 0..TIMES {
            turn += 1;
            each(turn)?;
        }
        region.stop();
    }
    bench.tell_counted(name, bench.cost(0, TIMES));
    Ok(())
}
