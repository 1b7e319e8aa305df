//! Reading what a disk is divided into.

use crate::remote::Fault;
use alloc::vec::Vec;
use capos_block::{Geometry, Operation, Request};
use capos_gpt::{Reader, Refusal, Table, Wanted};
use kit::block::{Client, IoError};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;

/// Bytes that are read at a time: one sector of any disk.
const PIECE: u32 = 4096;

/// Bits of addresses of devices that memory is made for: all devices find it.
const ADDRESS_BITS: u8 = 32;

/// Words of memory.
const WORD: u64 = 8;

/// What the disk is divided into. An error is the driver's; what the disk says, or does not, is in the answer.
pub async fn read(
    device: &rt::generated::BlockDeviceClient,
    geometry: &Geometry,
) -> Result<Result<Table, Refusal>, Fault> {
    let mut reader = match Reader::new(geometry.sectors, geometry.sector_bytes()) {
        Ok(reader) => reader,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let client = Client::open(device, 1).await?;
    let object = memory().create_dma_object(PIECE.into(), ADDRESS_BITS).await?;
    let piece = Region::map(&object, 0, PIECE.into(), Protection::ReadWrite)?;
    let buffer = client.attach(&object).await?;
    while let Some(wanted) = reader.wants() {
        let bytes = sectors(&client, buffer, &piece, geometry, wanted).await?;
        reader.give(bytes.as_deref());
    }
    Ok(reader.finish())
}

/// The bytes of some sectors; `None` when the disk can not read one of them.
async fn sectors(
    client: &Client,
    buffer: u16,
    piece: &Region,
    geometry: &Geometry,
    wanted: Wanted,
) -> Result<Option<Vec<u8>>, Fault> {
    let most = (PIECE >> geometry.sector_shift).min(geometry.most);
    let (mut bytes, mut first, mut left) = (Vec::new(), wanted.first, wanted.sectors);
    while left > 0 {
        let sectors = left.min(most);
        let operation = Operation::Read;
        let request = Request { id: 0, operation, durable: false, buffer, offset: 0, first, sectors };
        match client.perform(request).await {
            Ok(()) => {}
            Err(IoError::Failed(..)) => return Ok(None),
            Err(IoError::Ended(end)) => return Err(end.into()),
        }
        let words = (0..geometry.bytes(sectors)).step_by(WORD as usize);
        bytes.extend(words.flat_map(|at| piece.load(at).unwrap_or(0).to_le_bytes()));
        (first, left) = (first + u64::from(sectors), left - sectors);
    }
    Ok(Some(bytes))
}
