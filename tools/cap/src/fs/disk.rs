//! A disk image, or a partition in one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use capos_block::content::{self, Content, PIECE, PLACES};
use capos_gpt::{Partition, Reader, Refusal, Table};
use capos_store::{BLOCK, Disk, DiskError};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::command_line::Image;
use crate::exec::{Context, Failure};

/// What may be done to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing is changed.
    Read,
    /// It is written.
    Write,
}

/// An open image.
pub struct ImageDisk {
    file: File,
    start: u64,
    bytes: u64,
    /// Partitions that it has, if none was asked for, and how large the sectors are that they count.
    others: Vec<Partition>,
    sector: u32,
    /// Which of them is taken, as only that one has something on it.
    taken: Option<String>,
}

/// Makes a file of zeros, which takes no room.
pub fn create(path: &Path, bytes: u64) -> Result<(), Failure> {
    let file = File::create_new(path);
    if file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
        return Err(Failure::new(format!(
            "{} is there already; a disk image is used as it is without --size",
            path.display()
        )));
    }
    let made = file.context(path.display())?.set_len(bytes);
    if made.is_err() {
        // It holds nothing, and would be in the way of the next try.
        let _ = std::fs::remove_file(path);
    }
    made.context(path.display())
}

impl ImageDisk {
    /// Opens an image, and finds the partition that was asked for.
    pub fn open(image: &Image, access: Access) -> Result<ImageDisk, Failure> {
        let name = image.image.display();
        let file =
            File::options().read(true).write(access == Access::Write).open(&image.image).context(&name)?;
        if access == Access::Write {
            lock(&file).map_err(|_| {
                Failure::new(format!("{name} is in use, by a machine that runs or by another `cap fs`"))
            })?;
        }
        let about = file.metadata().context(&name)?;
        if about.is_dir() {
            return Err(Failure::new(format!("{name} is a directory, not a disk image")));
        }
        let length = about.len();
        let table = table(&file, length);
        let Some(wanted) = &image.partition else {
            let (others, sector) =
                table.map(|(table, sector)| (table.partitions, sector)).unwrap_or_default();
            return Ok(ImageDisk { file, start: 0, bytes: length, others, sector, taken: None });
        };
        let (table, sector) = table.context(&name)?;
        let is_it =
            |partition: &&Partition| partition.name.is(wanted) || wanted.parse() == Ok(partition.number);
        let Some(found) = table.partitions.iter().find(is_it) else {
            return Err(Failure::new(format!(
                "{name} has no partition `{wanted}`{}",
                list(&table.partitions)
            )));
        };
        let (start, bytes) = place(found, sector);
        Ok(ImageDisk { file, start, bytes, others: Vec::new(), sector, taken: None })
    }

    /// Opens an image, and if nobody asked for a partition the one that has a volume on it; or without volumes the one that others made, to be read.
    pub fn find(image: &Image, access: Access) -> Result<ImageDisk, Failure> {
        let disk = ImageDisk::open(image, access)?;
        if disk.others.is_empty() || disk.content(0, disk.bytes) != Content::Unknown {
            return Ok(disk);
        }
        let only = |is: fn(Content) -> bool| {
            let mut found = disk.others.iter().filter(|partition| {
                let (start, bytes) = place(partition, disk.sector);
                is(disk.content(start, bytes))
            });
            (found.next(), found.next())
        };
        let found = match only(|content| content == Content::Volume) {
            (None, _) if access == Access::Read => only(|content| content != Content::Unknown),
            found => found,
        };
        let (Some(partition), None) = found else { return Ok(disk) };
        let (start, bytes) = place(partition, disk.sector);
        let taken = Some(format!("partition {} ({})", partition.number, partition.name));
        Ok(ImageDisk { start, bytes, taken, others: Vec::new(), ..disk })
    }

    /// Which partition it is, if nobody asked for that.
    pub fn taken(&self) -> Option<&str> {
        self.taken.as_deref()
    }

    /// What is on a part of it, by its marks.
    fn content(&self, start: u64, bytes: u64) -> Content {
        let pieces = PLACES.map(|place| {
            let mut piece = vec![0; PIECE];
            let is_inside = place + PIECE as u64 <= bytes;
            (is_inside && self.file.read_exact_at(&mut piece, start.saturating_add(place)).is_ok())
                .then_some(piece)
        });
        content::of(pieces.each_ref().map(Option::as_deref))
    }

    /// What somebody may have meant who finds no volume here.
    pub fn hint(&self) -> String {
        if self.others.is_empty() { String::new() } else { list(&self.others) }
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads bytes, wherever they are.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, self.start.saturating_add(at))
    }

    fn place(&self, block: u64, bytes: usize) -> Result<u64, DiskError> {
        let end = block.checked_add((bytes / BLOCK) as u64).ok_or(DiskError::OutOfRange)?;
        if end > self.blocks() {
            return Err(DiskError::OutOfRange);
        }
        Ok(self.start + block * BLOCK as u64)
    }
}

/// How often a lock is tried, and how long after each other.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Keeps out all others that lock what they write, as QEMU does, until the file is closed. A process that another thread just starts has what
/// is open here for a moment, closed or not: so this is tried for a while.
fn lock(file: &File) -> nix::Result<()> {
    for _ in 1..TRIES {
        if try_lock(file).is_ok() {
            return Ok(());
        }
        sleep(PAUSE);
    }
    try_lock(file)
}

fn try_lock(file: &File) -> nix::Result<()> {
    let all = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&all)).map(|_| ())
}

/// Where a partition begins, and how many bytes it has.
fn place(partition: &Partition, sector: u32) -> (u64, u64) {
    let bytes = |sectors: u64| sectors.saturating_mul(sector.into());
    (bytes(partition.first), bytes(partition.sectors()))
}

fn list(partitions: &[Partition]) -> String {
    let one = |partition: &Partition| format!("\n  --partition {}  {}", partition.number, partition.name);
    format!("; it has these:{}", partitions.iter().map(one).collect::<String>())
}

/// The table of partitions, and the size of the sectors that it counts: an image does not say which it is.
fn table(file: &File, length: u64) -> Result<(Table, u32), Refusal> {
    let [usual, large] = [512, 4096];
    table_in(file, length, usual).or_else(|why| table_in(file, length, large).map_err(|_| why))
}

fn table_in(file: &File, length: u64, sector: u32) -> Result<(Table, u32), Refusal> {
    let bytes_in = u64::from(sector);
    let mut reader = Reader::new(length / bytes_in, sector)?;
    while let Some(wanted) = reader.wants() {
        let mut bytes = vec![0; (u64::from(wanted.sectors) * bytes_in) as usize];
        let read = file.read_exact_at(&mut bytes, wanted.first.saturating_mul(bytes_in));
        reader.give(read.is_ok().then_some(&bytes));
    }
    Ok((reader.finish()?, sector))
}

fn disk_error(error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => DiskError::ReadOnly,
        _ => DiskError::Media,
    }
}

impl Disk for ImageDisk {
    fn blocks(&self) -> u64 {
        self.bytes / BLOCK as u64
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let place = self.place(first, into.len())?;
        self.file.read_exact_at(into, place).map_err(|error| disk_error(&error))
    }

    async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
        let mut place = self.place(first, pieces.iter().map(|piece| piece.len()).sum())?;
        for piece in pieces {
            self.file.write_all_at(piece, place).map_err(|error| disk_error(&error))?;
            place += piece.len() as u64;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(|error| disk_error(&error))
    }

    async fn discard(&self, _: u64, _: u64) -> Result<(), DiskError> {
        Ok(())
    }
}
