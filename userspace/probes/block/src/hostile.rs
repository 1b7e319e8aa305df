//! A client that keeps to nothing: queues of impossible shapes, indices and entries that say anything, memory of others. Each attack costs its own session at most.

use crate::pages::Pages;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::{Completion, Operation, Request, Status, WORDS};
use kit::block::{Client, IoError, queues_size};
use probe::Report;
use probe::mutate::Rng;
use rt::generated::{BlockDeviceClient, BlockSessionClient, SignallerClient};
use rt::listener::Listener;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

/// Entries of a session's queues.
const ENTRIES: u32 = 8;
/// Where index words and entries lie in a queue (capos-lib/ring).
const TAIL: u64 = 0x00;
const HEAD: u64 = 0x40;
const SLOTS: u64 = 0x80;
const ENTRY: u64 = 8 * WORDS as u64;

const RING: u64 = 1;
const LOST: u64 = 2;

/// A session whose memory is written by hand.
struct Raw {
    region: Region,
    listener: Listener,
    doorbell: SignallerClient,
    _session: BlockSessionClient,
}

impl Raw {
    async fn open(device: &BlockDeviceClient) -> Result<Raw, CallError> {
        let size = queues_size(ENTRIES)?;
        let object = memory().create_object(size).await?;
        let region = Region::map(&object, 0, size, Protection::ReadWrite)?;
        let listener = Listener::new()?;
        let reply = device.open(object, listener.signaller(RING, LOST)?, ENTRIES).await?;
        Ok(Raw { region, listener, doorbell: reply.doorbell, _session: reply.session })
    }

    /// Where the queue of completions begins.
    fn completions(&self) -> u64 {
        self.region.size() / 2
    }

    fn entry(&self, number: u64, words: &[u64; WORDS]) {
        for (at, word) in (0..).step_by(8).zip(words) {
            self.region.store(SLOTS + number * ENTRY + at, *word);
        }
    }

    /// One that ended already need not hear it.
    async fn ring(&self) {
        drop(self.doorbell.signal().await);
    }

    /// Waits until the server has let go of it.
    async fn ended(&self) -> Result<(), CallError> {
        while self.listener.wait().await? & LOST == 0 {}
        Ok(())
    }

    /// Waits for so many completions, and gives their ids.
    async fn answers(&self, count: u32) -> Result<Vec<Completion>, CallError> {
        let (base, wanted) = (self.completions(), 0x04 + HEAD);
        while self.region.load32(base + TAIL).unwrap_or(0) < count {
            self.region.store32(base + wanted, count - 1);
            if self.region.load32(base + TAIL).unwrap_or(0) < count {
                self.listener.wait().await?;
            }
        }
        let read = |number: u64| {
            let at = |word: u64| self.region.load(base + SLOTS + number * ENTRY + 8 * word).unwrap_or(0);
            Completion::decode(&core::array::from_fn(|word| at(word as u64)))
        };
        Ok((0..count.into()).map(read).collect())
    }
}

/// All attacks, so often.
pub async fn attack(
    report: &Report,
    device: &Rc<BlockDeviceClient>,
    rounds: u64,
    seed: u64,
) -> Result<(), IoError> {
    shapes(report, device).await?;
    let mut rng = Rng::new(seed);
    let (mut ended, mut refused) = (0, 0);
    for _ in 0..rounds {
        indices(device, &mut rng).await?;
        ended += 2;
        refused += entries(device, &mut rng).await?;
    }
    report.equal("sessions whose indices are impossible end", ended, 2 * rounds);
    report.equal("entries that say anything are refused, each once", refused, rounds * u64::from(ENTRIES));
    memory_of_others(report, device).await?;
    too_much(report, device).await
}

async fn shapes(report: &Report, device: &BlockDeviceClient) -> Result<(), CallError> {
    for entries in [0, 3, 2048, u32::MAX] {
        let (object, listener) = (memory().create_object(queues_size(ENTRIES)?).await?, Listener::new()?);
        let opened = device.open(object, listener.signaller(RING, LOST)?, entries).await.map(drop);
        report.fails("no queue has so many entries", opened, ExceptionCode::InvalidArgument);
    }
    let (object, listener) = (memory().create_object(4096).await?, Listener::new()?);
    let opened = device.open(object, listener.signaller(RING, LOST)?, 1024).await;
    report.equal("memory is too small for its queues", opened.is_err(), true);
    Ok(())
}

/// Indices that can not be: of requests that there are not, and of completions that were never there.
async fn indices(device: &BlockDeviceClient, rng: &mut Rng) -> Result<(), CallError> {
    let far = |rng: &mut Rng| ENTRIES + 1 + rng.below(u32::MAX - 2 * ENTRIES);
    let raw = Raw::open(device).await?;
    raw.region.store32(TAIL, far(rng));
    raw.ring().await;
    raw.ended().await?;
    let raw = Raw::open(device).await?;
    raw.region.store32(raw.completions() + HEAD, far(rng));
    raw.region.store32(TAIL, 1);
    raw.ring().await;
    raw.ended().await
}

/// Entries that say anything. How many of them were refused by their ids.
async fn entries(device: &BlockDeviceClient, rng: &mut Rng) -> Result<u64, CallError> {
    /// Where an entry says what is asked, and how.
    const OPERATION: u32 = 32;
    const FLAGS: u64 = 0xff << 40;
    let raw = Raw::open(device).await?;
    let mut asked = Vec::new();
    for number in 0..ENTRIES.into() {
        let mut words: [u64; WORDS] = core::array::from_fn(|_| rng.edge());
        let [head, ..] = &mut words;
        if rng.chance(1, 2) {
            // To read or write, with memory that there is not.
            *head = *head & !(0xff << OPERATION | FLAGS) | u64::from(rng.below(2)) << OPERATION;
        } else {
            *head |= 0x80 << OPERATION;
        }
        asked.push(*head as u32);
        raw.entry(number, &words);
    }
    raw.region.store32(TAIL, ENTRIES);
    raw.ring().await;
    let mut refused = 0;
    for answer in raw.answers(ENTRIES).await? {
        if let Some(at) = asked.iter().position(|id| *id == answer.id && answer.status != Status::Done) {
            asked.swap_remove(at);
            refused += 1;
        }
    }
    Ok(refused)
}

async fn memory_of_others(report: &Report, device: &Rc<BlockDeviceClient>) -> Result<(), IoError> {
    let (mine, other) =
        (Client::open(Rc::clone(device), 1).await?, Client::open(Rc::clone(device), 1).await?);
    let pages = Pages::new(&other, 4096).await?;
    let (operation, buffer) = (Operation::Write, pages.number);
    let write = Request { id: 0, operation, durable: false, buffer, offset: 0, first: 0, sectors: 1 };
    let refused = matches!(mine.perform(write).await, Err(IoError::Failed(Status::Invalid, _)));
    report.equal("memory of another session is nobody's", refused, true);
    report.fails(
        "memory that is not ours is not let go of",
        mine.detach(buffer).await,
        ExceptionCode::NotFound,
    );
    let plain = memory().create_object(4096).await?;
    report.fails(
        "memory that is not for devices",
        mine.attach(plain).await.map(drop),
        ExceptionCode::Unsupported,
    );
    Ok(())
}

/// Who takes all that there is leaves something for others.
async fn too_much(report: &Report, device: &Rc<BlockDeviceClient>) -> Result<(), IoError> {
    let mut all = Vec::new();
    let end = loop {
        match Raw::open(device).await {
            Ok(raw) if all.len() < 64 => all.push(raw),
            Ok(_) => break None,
            Err(error) => break error.exception(),
        }
    };
    report.equal("sessions have an end", end, Some(ExceptionCode::BudgetExhausted));
    drop(all);
    let client = Client::open(Rc::clone(device), 1).await?;
    let object = Rc::new(memory().create_dma_object(4096, 64).await?);
    let mut count = 0;
    let end = loop {
        match client.attach(Rc::clone(&object)).await {
            Ok(_) if count < 2000 => count += 1,
            Ok(_) => break None,
            Err(error) => break error.exception(),
        }
    };
    report.equal("memory has an end", end, Some(ExceptionCode::BudgetExhausted));
    Ok(())
}
