//! Memory of a client, for what is more than a message.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use rt::generated::MemoryObjectClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{Exception, ExceptionCode};

/// Most bytes that one message carries (schema/file.capnp).
pub const INLINE: u32 = 4000;

/// Most bytes that one call moves.
const MOST: usize = 1 << 20;

/// What a facet's holder attached to it, mapped.
#[derive(Default)]
pub struct Memory {
    region: RefCell<Option<Region>>,
}

impl Memory {
    /// In place of what was attached before.
    pub fn attach(&self, object: &MemoryObjectClient) -> Result<(), Exception> {
        let refused = |_| Exception::from(ExceptionCode::InvalidArgument);
        let info = object.info_blocking().map_err(refused)?;
        let protection = if info.writable { Protection::ReadWrite } else { Protection::Read };
        let region = Region::map(object, 0, info.size, protection).map_err(refused)?;
        self.region.replace(Some(region));
        Ok(())
    }

    /// A copy of its bytes, which nobody changes.
    pub fn bytes(&self, at: u64, length: u32) -> Result<Vec<u8>, Exception> {
        let length = most(length)?;
        let region = self.region.borrow();
        let region = region.as_ref().ok_or(ExceptionCode::WrongState)?;
        region.bytes(at, length).ok_or_else(|| ExceptionCode::InvalidArgument.into())
    }

    /// The same as [`read`], to there: how many. What would not fit is not read.
    pub async fn read_into(
        &self,
        at: u64,
        length: u32,
        from: impl AsyncFnOnce(&mut [u8]) -> Result<usize, Exception>,
    ) -> Result<u32, Exception> {
        self.check(at, length)?;
        let bytes = read(length, from).await?;
        self.put(at, &bytes)?;
        Ok(bytes.len() as u32)
    }

    /// Whether so many bytes fit there.
    fn check(&self, at: u64, length: u32) -> Result<(), Exception> {
        let region = self.region.borrow();
        let region = region.as_ref().ok_or(ExceptionCode::WrongState)?;
        let end = at.checked_add(length.into()).filter(|end| *end <= region.size());
        end.map(drop).ok_or_else(|| ExceptionCode::InvalidArgument.into())
    }

    /// Copies bytes there.
    pub fn put(&self, at: u64, bytes: &[u8]) -> Result<(), Exception> {
        let region = self.region.borrow();
        let region = region.as_ref().ok_or(ExceptionCode::WrongState)?;
        if region.write(at, bytes) { Ok(()) } else { Err(ExceptionCode::InvalidArgument.into()) }
    }
}

/// Bytes of something that is read: up to so many, fewer at its end.
pub async fn read(
    length: u32,
    from: impl AsyncFnOnce(&mut [u8]) -> Result<usize, Exception>,
) -> Result<Vec<u8>, Exception> {
    let mut bytes = room(length)?;
    let count = from(&mut bytes).await?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Room for so many bytes.
fn room(length: u32) -> Result<Vec<u8>, Exception> {
    most(length).map(|length| vec![0; length])
}

/// So many bytes, if that is not too many for one call.
fn most(length: u32) -> Result<usize, Exception> {
    let length = length as usize;
    if length > MOST { Err(ExceptionCode::InvalidArgument.into()) } else { Ok(length) }
}
