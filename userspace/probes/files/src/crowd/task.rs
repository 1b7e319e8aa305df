//! One client: a directory of its own, and what it knows to be in there.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_mutate::Rng;
use rt::CallError;
use rt::generated::{DirectoryClient, FileClient};
use rt::schema::directory::Creation;

/// Names that its files have.
const NAMES: u32 = 5;
/// Bytes of a file, at most.
const MOST: usize = 12_000;
/// Bytes of a message, at most.
const PIECE: usize = 1500;

/// One client.
pub struct Task {
    name: String,
    /// Its own.
    home: DirectoryClient,
    /// Everybody's.
    place: DirectoryClient,
    files: BTreeMap<String, Vec<u8>>,
    rng: Rng,
    /// Bytes that were read and compared.
    pub compared: u64,
    /// What was not as it should be.
    pub wrong: Vec<String>,
}

impl Task {
    pub fn new(name: String, home: DirectoryClient, place: DirectoryClient, seed: u64) -> Task {
        let (files, wrong, rng) = (BTreeMap::new(), Vec::new(), Rng::new(seed));
        Task { name, home, place, files, rng, compared: 0, wrong }
    }

    /// So many operations by chance; then everything once more, and sums of it for the host.
    pub async fn work(&mut self, rounds: u64) -> Result<(), CallError> {
        for _ in 0..rounds {
            self.one().await?;
        }
        let names: Vec<String> = self.files.keys().cloned().collect();
        let mut sums = String::new();
        for name in &names {
            self.compare(name).await?;
            let bytes = self.files.get(name).map(Vec::as_slice).unwrap_or_default();
            sums.push_str(&format!("{} {} {name}\n", cksum(bytes), bytes.len()));
        }
        let entries = self.home.info().await?.entries;
        self.is("it has as many files as it made", entries == names.len() as u64);
        let file = self.home.open_file(Creation::Always, true, "sums").await?;
        file.write(0, sums.as_bytes()).await?;
        file.sync().await
    }

    fn is(&mut self, what: &str, ok: bool) {
        if !ok {
            self.wrong.push(format!("{}: {what}", self.name));
        }
    }

    fn any(&mut self) -> String {
        format!("f{}", self.rng.below(NAMES))
    }

    fn bytes(&mut self) -> Vec<u8> {
        let (length, first) = (self.rng.below(PIECE as u32) + 1, self.rng.draw());
        (0..u64::from(length)).map(|at| (first.wrapping_add(at.wrapping_mul(at))) as u8).collect()
    }

    async fn open(&mut self, name: &str) -> Result<FileClient, CallError> {
        self.files.entry(String::from(name)).or_default();
        self.home.open_file(Creation::Missing, true, name).await
    }

    async fn one(&mut self) -> Result<(), CallError> {
        let name = self.any();
        match self.rng.below(9) {
            0 | 1 => self.write(&name).await,
            2 => self.append(&name).await,
            3 => self.truncate(&name).await,
            4 => self.rename(&name).await,
            5 => self.remove(&name).await,
            6 => self.by_way_of_all(&name).await,
            7 => self.open(&name).await?.sync().await,
            _ => self.compare(&name).await,
        }
    }

    async fn write(&mut self, name: &str) -> Result<(), CallError> {
        let (at, bytes) = (self.rng.below((MOST - PIECE) as u32) as usize, self.bytes());
        self.open(name).await?.write(at as u64, &bytes).await?;
        let file = self.files.entry(String::from(name)).or_default();
        file.resize(file.len().max(at + bytes.len()), 0);
        if let Some(place) = file.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(&bytes);
        }
        Ok(())
    }

    async fn append(&mut self, name: &str) -> Result<(), CallError> {
        let bytes = self.bytes();
        let file = self.open(name).await?;
        if self.files.get(name).is_some_and(|file| file.len() > MOST) {
            return self.truncate(name).await;
        }
        let at = file.append(&bytes).await?;
        let known = self.files.entry(String::from(name)).or_default();
        let was = known.len();
        known.extend(bytes);
        self.is("what is added is at the end", at == was as u64);
        Ok(())
    }

    async fn truncate(&mut self, name: &str) -> Result<(), CallError> {
        let size = self.rng.below(MOST as u32) as usize;
        self.open(name).await?.truncate(size as u64).await?;
        self.files.entry(String::from(name)).or_default().resize(size, 0);
        Ok(())
    }

    async fn rename(&mut self, name: &str) -> Result<(), CallError> {
        let to = self.any();
        drop(self.open(name).await?);
        self.home.rename(&self.home, true, name, &to).await?;
        if let Some(bytes) = self.files.remove(name) {
            self.files.insert(to, bytes);
        }
        Ok(())
    }

    /// It is read through what is open, though it has no name any more.
    async fn remove(&mut self, name: &str) -> Result<(), CallError> {
        let file = self.open(name).await?;
        self.home.remove(name).await?;
        let known = self.files.remove(name).unwrap_or_default();
        let found = read(&file).await?;
        self.is("what is open is there until it is let go", found == known);
        Ok(())
    }

    /// Out to where all are, and back.
    async fn by_way_of_all(&mut self, name: &str) -> Result<(), CallError> {
        drop(self.open(name).await?);
        let there = format!("{}-{name}", self.name);
        self.home.rename(&self.place, false, name, &there).await?;
        let size = self.place.stat(&there).await?.size;
        self.place.rename(&self.home, false, &there, name).await?;
        let known = self.files.get(name).map_or(0, Vec::len);
        self.is("it goes with its bytes", size == known as u64);
        Ok(())
    }

    async fn compare(&mut self, name: &str) -> Result<(), CallError> {
        let file = self.open(name).await?;
        let found = read(&file).await?;
        self.compared += found.len() as u64;
        let is_same = self.files.get(name) == Some(&found);
        self.is("what was written is read", is_same);
        Ok(())
    }
}

/// All bytes of a file.
async fn read(file: &FileClient) -> Result<Vec<u8>, CallError> {
    let mut all = Vec::new();
    loop {
        let piece = file.read(all.len() as u64, PIECE as u32).await?;
        if piece.is_empty() {
            return Ok(all);
        }
        all.extend(piece);
    }
}

/// The sum that `cksum` says (POSIX: CRC of polynomial 0x04c11db7 over the bytes and their number, inverted).
fn cksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: u8| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    };
    let mut sum = bytes.iter().fold(0, |sum, byte| step(sum, *byte));
    let mut length = bytes.len();
    while length > 0 {
        sum = step(sum, length as u8);
        length >>= 8;
    }
    !sum
}
