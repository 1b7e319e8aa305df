//! FAT12, FAT16 and FAT32 (Microsoft, FAT32 File System Specification, version 1.03).
//!
//! `hadris-fat` reads directories, each look with a volume of its own: it holds a lock while it waits for the medium, which a second task of the same
//! thread would wait for for ever. Files are read here, by chains that are remembered.

use crate::chain::Chain;
use crate::error::{Damage, Error};
use crate::folder::{Collector, Found, Listing, Place};
use crate::medium::{Look, Medium, Reader};
use crate::source::Source;
use crate::time;
use alloc::rc::Rc;
use hadris_fat::r#async::{Fat as Table, Fat12, Fat16, Fat32, FatType, FatVolume, FileEntry};
use hadris_fat::time::FatDateTime;

/// The first cluster that there is.
const FIRST: u32 = 2;
/// Bytes of a directory's record.
const RECORD: u64 = 32;

/// Which directory.
#[derive(Clone)]
pub(crate) struct FatDirectory(Option<Rc<FileEntry>>);

/// A volume.
pub(crate) struct Fat {
    table: Table,
    kind: FatType,
    cluster_bytes: u64,
    /// Where the first cluster lies.
    data: u64,
    /// The last cluster that there is.
    last: u32,
    /// The first cluster of the root; none where it has a place of its own.
    root: u32,
}

/// What the boot sector says of where things are (section 3).
struct Boot {
    sector_bytes: u64,
    cluster_sectors: u64,
    reserved: u64,
    tables: u64,
    root_entries: u64,
    table_sectors: u64,
    root: u32,
}

/// Whether a boot sector could be of FAT: otherwise it is something else, and not a damaged one.
pub(crate) fn looks_like(sector: &[u8; 512]) -> bool {
    let jumps = matches!(sector, [0xeb, _, 0x90, ..] | [0xe9, ..]);
    let has_signature = sector.ends_with(&[0x55, 0xaa]);
    jumps && has_signature && matches!(Boot::read(sector).sector_bytes, 512 | 1024 | 2048 | 4096)
}

impl Boot {
    fn read(sector: &[u8; 512]) -> Boot {
        let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
        let two = |at: usize| u16::from_le_bytes([byte(at), byte(at + 1)]);
        let four = |at: usize| u32::from(two(at)) | u32::from(two(at + 2)) << 16;
        let is_small = two(22) != 0;
        Boot {
            sector_bytes: two(11).into(),
            cluster_sectors: byte(13).into(),
            reserved: two(14).into(),
            tables: byte(16).into(),
            root_entries: two(17).into(),
            table_sectors: if is_small { two(22).into() } else { four(36).into() },
            root: if is_small { 0 } else { four(44) },
        }
    }
}

impl Fat {
    /// Of a medium whose boot sector [`looks_like`] one.
    pub(crate) async fn open<S: Source>(medium: &Medium<S>, sector: &[u8; 512]) -> Result<Fat, Error> {
        let look = Look::new();
        let volume = FatVolume::open(Reader::new(medium, &look)).await.map_err(|error| look.why(error))?;
        // That it opened says that these are small enough to be counted with.
        let boot = Boot::read(sector);
        let start = boot.reserved * boot.sector_bytes;
        let size = boot.table_sectors * boot.sector_bytes;
        let root_sectors = (boot.root_entries * RECORD).div_ceil(boot.sector_bytes);
        let data = start + boot.tables * size + root_sectors * boot.sector_bytes;
        let (kind, last) = (volume.fat_type(), volume.fat().max_cluster());
        let (start, size, tables) = (start as usize, size as usize, boot.tables as usize);
        let table = match kind {
            FatType::Fat12 => Table::Fat12(Fat12::new(start, size, tables, last as u16)),
            FatType::Fat16 => Table::Fat16(Fat16::new(start, size, tables, last as u16)),
            FatType::Fat32 => Table::Fat32(Fat32::new(start, size, tables, last)),
        };
        let cluster_bytes = boot.cluster_sectors * boot.sector_bytes;
        Ok(Fat { table, kind, cluster_bytes, data, last, root: boot.root })
    }

    pub(crate) fn kind(&self) -> FatType {
        self.kind
    }

    /// The root, and what tells it from other directories.
    pub(crate) fn root(&self) -> (FatDirectory, u64) {
        (FatDirectory(None), self.root.into())
    }

    /// What a directory has.
    pub(crate) async fn list<S: Source>(
        &self,
        medium: &Medium<S>,
        directory: &FatDirectory,
        key: u64,
    ) -> Result<Listing, Error> {
        let look = Look::new();
        let volume = FatVolume::open(Reader::new(medium, &look)).await.map_err(|error| look.why(error))?;
        let directory = match &directory.0 {
            None => volume.root_dir(),
            Some(entry) => {
                self.check(entry.cluster().0 as u32)?;
                volume.open_dir_entry(entry).map_err(|error| look.why(error))?
            }
        };
        let mut entries = directory.entries();
        let mut all = Collector::new(key);
        while let Some(next) = entries.next_entry().await {
            let added = match next {
                Ok(entry) => entry.as_entry().map_or(Ok(()), |entry| self.add(&mut all, entry)),
                // One name that can not be hides no others.
                Err(hadris_fat::Error::InvalidShortFilename) => Ok(()),
                Err(hadris_fat::Error::ClusterLoop { .. }) => Err(Damage::Loop.into()),
                Err(error) => Err(look.why(error)),
            };
            if let Err(why) = added {
                return Ok(all.finish(Some(why)));
            }
        }
        Ok(all.finish(None))
    }

    fn add(&self, all: &mut Collector, entry: &FileEntry) -> Result<(), Error> {
        let name = entry.name();
        if matches!(&*name, "." | "..") {
            return Ok(());
        }
        let place = if entry.is_directory() {
            Place::FatDirectory(FatDirectory(Some(Rc::new(entry.clone()))))
        } else {
            Place::FatFile(entry.cluster().0 as u32)
        };
        let [created, modified] = [entry.created(), entry.modified()].map(stamp);
        let size = if entry.is_directory() { 0 } else { entry.len() };
        Ok(all.add(&name, Found { size, created, modified, place })?)
    }

    /// What tells a directory from others: its first cluster.
    pub(crate) fn key(&self, directory: &FatDirectory) -> u64 {
        directory.0.as_ref().map_or(self.root.into(), |entry| entry.cluster().0 as u64)
    }

    fn check(&self, cluster: u32) -> Result<u32, Error> {
        if (FIRST..=self.last).contains(&cluster) { Ok(cluster) } else { Err(Damage::Beyond.into()) }
    }

    /// Where the bytes of a file are.
    pub(crate) fn chain(&self, first: u32, size: u64) -> Chain {
        Chain::new(first, size.div_ceil(self.cluster_bytes))
    }

    /// Where byte `at` of a file lies, and how many are behind it there, `most` at most.
    pub(crate) async fn find<S: Source>(
        &self,
        medium: &Medium<S>,
        (chain, first): (&Chain, u32),
        at: u64,
        most: u64,
    ) -> Result<(u64, u64), Error> {
        self.check(first)?;
        let (index, within) = (at / self.cluster_bytes, at % self.cluster_bytes);
        if index >= u64::from(self.last) {
            return Err(Damage::Short.into());
        }
        let clusters = (within + most).div_ceil(self.cluster_bytes);
        let next = async |cluster| self.next(medium, cluster).await;
        let (cluster, count) = chain.run(index, clusters, next).await?;
        let start = self.data + u64::from(cluster - FIRST) * self.cluster_bytes;
        Ok((start + within, (count * self.cluster_bytes - within).min(most)))
    }

    /// What follows a cluster.
    async fn next<S: Source>(&self, medium: &Medium<S>, cluster: u32) -> Result<Option<u32>, Error> {
        let look = Look::new();
        let mut reader = Reader::new(medium, &look);
        let next = self.table.next_cluster(&mut reader, cluster as usize).await;
        next.map_err(|error| look.why(error))?.map(|next| self.check(next)).transpose()
    }
}

fn stamp(time: FatDateTime) -> Option<u64> {
    let (date, time, hundredths) = time.to_raw();
    time::of_fat(date, time, hundredths)
}

/// Where a file of FAT is.
pub(crate) struct FatFile {
    pub(crate) first: u32,
    pub(crate) chain: Chain,
}
