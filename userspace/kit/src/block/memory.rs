//! Memory that clients' requests name, and how a device comes to know it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use rt::generated::{BlockSessionClient, DmaBufferClient, DmaPoolClient, MemoryObjectClient};
use rt::{CallError, ExceptionCode, spawn};

/// By what memory is told to a device, in one life of it.
pub enum Finder {
    /// Its pool.
    Pool(DmaPoolClient),
    /// Sessions with somebody else who serves it, one for each disk.
    Sessions(Vec<Rc<BlockSessionClient>>),
}

impl From<DmaPoolClient> for Finder {
    fn from(pool: DmaPoolClient) -> Self {
        Finder::Pool(pool)
    }
}

impl Finder {
    /// Has a disk know this memory.
    pub(super) async fn find(&self, disk: usize, object: &MemoryObjectClient) -> Result<Found, CallError> {
        match self {
            Finder::Pool(pool) => {
                let buffer = pool.attach_blocking(object)?;
                Ok(Found { handle: buffer.info_blocking()?.token, kept: Kept::Buffer(buffer) })
            }
            Finder::Sessions(sessions) => {
                let none = CallError::Exception(ExceptionCode::NotFound.into());
                let session = sessions.get(disk).map(Rc::clone).ok_or(none)?;
                let number = session.attach(object).await?;
                Ok(Found { handle: number.into(), kept: Kept::Number(session, number) })
            }
        }
    }

    /// Whether there is nobody to be told any more; else it was the memory that was refused.
    pub(super) async fn is_lost(&self, disk: usize, error: &CallError) -> bool {
        match self {
            Finder::Pool(_) => error.exception() == Some(ExceptionCode::Disconnected),
            Finder::Sessions(sessions) => match sessions.get(disk) {
                Some(session) => {
                    let answer = session.detach(NOBODYS).await.err();
                    answer.and_then(|error| error.exception()) != Some(ExceptionCode::NotFound)
                }
                None => false,
            },
        }
    }
}

/// A number that no buffer has.
const NOBODYS: u16 = u16::MAX;

/// What a device knows memory by.
pub(super) struct Found {
    /// A token, or a number.
    pub handle: u64,
    kept: Kept,
}

enum Kept {
    /// The device knows it as long as this is there.
    Buffer(DmaBufferClient),
    Number(Rc<BlockSessionClient>, u16),
}

impl Found {
    /// The device is not to know it any more.
    pub fn forget(self) {
        match self.kept {
            Kept::Buffer(buffer) => drop(buffer),
            // If it can not be told any more it is gone, and has forgotten.
            Kept::Number(session, number) => spawn(async move { drop(session.detach(number).await) }),
        }
    }
}

/// Memory of a client. It is there as long as a request names it, and longer than any device.
pub(super) struct Memory {
    pub object: Rc<MemoryObjectClient>,
    pub disk: usize,
    pub found: Option<Found>,
    /// The life of the device in which it was told of this last.
    pub told: u64,
}

impl Memory {
    /// Nobody uses it any more.
    pub fn forget(self) {
        if let Some(found) = self.found {
            found.forget();
        }
    }
}
