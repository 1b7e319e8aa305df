//! Memory of a worker, and what its sectors are full of.

use kit::block::Client;
use probe::mutate::Rng;
use rt::CallError;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;

/// Bits of addresses of devices that a session's memory is made for.
const ADDRESS_BITS: u8 = 64;
const WORD: u64 = 8;

/// What a sector holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Anything.
    Unknown,
    Zero,
    /// What that write put there.
    Written(u32),
}

/// Memory that a session's requests name.
pub struct Pages {
    region: Region,
    /// Its number.
    pub number: u16,
}

impl Pages {
    /// Of so many bytes, for this session.
    pub async fn new(client: &Client, bytes: u64) -> Result<Pages, CallError> {
        let object = memory().create_dma_object(bytes, ADDRESS_BITS).await?;
        let region = Region::map(&object, 0, bytes, Protection::ReadWrite)?;
        Ok(Pages { region, number: client.attach(object).await? })
    }

    /// Fills one sector's room from `offset` on.
    pub fn fill(&self, offset: u64, length: u64, sector: u64, content: Content) {
        let mut words = Words::new(sector, content);
        for at in (offset..offset + length).step_by(WORD as usize) {
            self.region.store(at, words.next());
        }
    }

    /// Copies words within it.
    pub fn copy(&self, from: u64, to: u64, length: u64) {
        for at in (0..length).step_by(WORD as usize) {
            self.region.store(to + at, self.word(from + at));
        }
    }

    /// Whether it has that content.
    pub fn has(&self, offset: u64, length: u64, sector: u64, content: Content) -> bool {
        let mut words = Words::new(sector, content);
        let mut offsets = (offset..offset + length).step_by(WORD as usize);
        content == Content::Unknown || offsets.all(|at| self.word(at) == words.next())
    }

    /// The word at `offset`.
    pub fn word(&self, offset: u64) -> u64 {
        self.region.load(offset).unwrap_or(0)
    }
}

/// Each write of each sector has words of its own.
struct Words(Option<Rng>);

impl Words {
    fn new(sector: u64, content: Content) -> Words {
        let rng = |write: u32| Rng::new(sector << 24 ^ u64::from(write));
        Words(match content {
            Content::Written(write) => Some(rng(write)),
            Content::Unknown | Content::Zero => None,
        })
    }

    fn next(&mut self) -> u64 {
        self.0.as_mut().map_or(0, Rng::draw)
    }
}
