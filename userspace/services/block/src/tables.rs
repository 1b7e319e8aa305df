//! Reading what a disk is divided into, and by what marks is known what is there.

use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::content::{self, Content, PIECE, PLACES};
use capos_block::target::Part;
use capos_block::{Geometry, Operation, Request};
use capos_gpt::{Reader, Refusal, Table, Wanted};
use kit::block::{Client, IoError};
use rt::generated::BlockDeviceClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;

/// Bits of addresses of devices that memory is made for: all devices find it.
const ADDRESS_BITS: u8 = 32;

/// Words of memory.
const WORD: u64 = 8;

/// What there is on a disk.
pub struct Contents {
    /// What it is divided into.
    pub table: Result<Table, Refusal>,
    /// The partitions.
    pub parts: Vec<Part>,
    /// What is on all of it. Where there is a table, even a broken one, that says what the disk is for, and not what else may lie there.
    pub content: Content,
}

/// Looks at a disk. An error is the driver's; what the disk says, or does not, is in the answer.
pub async fn read(device: Rc<BlockDeviceClient>, geometry: &Geometry) -> Result<Contents, IoError> {
    let disk = Disk::open(device, geometry).await?;
    let table = disk.table().await?;
    let (mut parts, mut content) = (Vec::new(), Content::Unknown);
    match &table {
        Ok(table) => {
            for partition in &table.partitions {
                let content = disk.content(partition.first, partition.sectors()).await?;
                parts.push(Part { partition: *partition, content });
            }
        }
        Err(Refusal::Absent) => content = disk.content(0, geometry.sectors).await?,
        Err(_) => {}
    }
    Ok(Contents { table, parts, content })
}

/// A disk that is looked at.
struct Disk<'a> {
    client: Rc<Client>,
    geometry: &'a Geometry,
    piece: Region,
    buffer: u16,
}

impl Disk<'_> {
    async fn open<'a>(device: Rc<BlockDeviceClient>, geometry: &'a Geometry) -> Result<Disk<'a>, IoError> {
        let client = Client::open(device, 1).await?;
        let object = memory().create_dma_object(PIECE as u64, ADDRESS_BITS).await?;
        let piece = Region::map(&object, 0, PIECE as u64, Protection::ReadWrite)?;
        let buffer = client.attach(object).await?;
        Ok(Disk { client, geometry, piece, buffer })
    }

    async fn table(&self) -> Result<Result<Table, Refusal>, IoError> {
        let mut reader = match Reader::new(self.geometry.sectors, self.geometry.sector_bytes()) {
            Ok(reader) => reader,
            Err(refusal) => return Ok(Err(refusal)),
        };
        while let Some(wanted) = reader.wants() {
            let bytes = self.sectors(wanted).await?;
            reader.give(bytes.as_deref());
        }
        Ok(reader.finish())
    }

    /// What is on so many sectors from `first` on, by its marks.
    async fn content(&self, first: u64, sectors: u64) -> Result<Content, IoError> {
        let mut pieces = [const { None }; PLACES.len()];
        let each = PIECE as u64 >> self.geometry.sector_shift;
        for (piece, place) in pieces.iter_mut().zip(PLACES) {
            let at = place >> self.geometry.sector_shift;
            if at + each <= sectors {
                *piece = self.sectors(Wanted { first: first + at, sectors: each as u32 }).await?;
            }
        }
        Ok(content::of(pieces.each_ref().map(Option::as_deref)))
    }

    /// The bytes of some sectors; `None` when the disk can not read one of them.
    async fn sectors(&self, wanted: Wanted) -> Result<Option<Vec<u8>>, IoError> {
        let most = ((PIECE as u32) >> self.geometry.sector_shift).min(self.geometry.most);
        let (mut bytes, mut first, mut left) = (Vec::new(), wanted.first, wanted.sectors);
        while left > 0 {
            let (sectors, operation) = (left.min(most), Operation::Read);
            let buffer = self.buffer;
            let request = Request { id: 0, operation, durable: false, buffer, offset: 0, first, sectors };
            match self.client.perform(request).await {
                Ok(()) => {}
                Err(IoError::Failed(..)) => return Ok(None),
                Err(ended) => return Err(ended),
            }
            let words = (0..self.geometry.bytes(sectors)).step_by(WORD as usize);
            bytes.extend(words.flat_map(|at| self.piece.load(at).unwrap_or(0).to_le_bytes()));
            (first, left) = (first + u64::from(sectors), left - sectors);
        }
        Ok(Some(bytes))
    }
}
