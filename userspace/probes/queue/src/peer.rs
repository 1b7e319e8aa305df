//! The other process: opens its side of the queue that it is called for, and produces, consumes or scribbles.

use crate::{ENTRIES, Entry, STREAM, WORDS, entry};
use core::cell::RefCell;
use kit::queue::{Receiver, Sender};
use probe::number;
use rt::generated::shared_queue::{SharedQueueServer, serve_shared_queue};
use rt::generated::{MemoryObjectClient, SignallerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::serve::{self, Event};
use rt::{CallContext, Env, Exception, ExceptionCode, Outgoing, block_on};

/// What came of the call.
enum Opened {
    Sender(Sender<WORDS>),
    Receiver(Receiver<WORDS>),
    Raw(MemoryObjectClient, SignallerClient),
}

struct Opener {
    hostile: bool,
    opened: RefCell<Option<Opened>>,
}

impl SharedQueueServer for Opener {
    async fn open(
        &self,
        _cx: &CallContext,
        memory: MemoryObjectClient,
        doorbell: SignallerClient,
        entries: u32,
        produce: bool,
    ) -> Result<Outgoing, Exception> {
        let refused = |_| Exception::from(ExceptionCode::InvalidArgument);
        if self.hostile {
            // Its own doorbell is one that nobody hears.
            let bell = kit::queue::Bell::new().map_err(refused)?;
            *self.opened.borrow_mut() = Some(Opened::Raw(memory, doorbell));
            return Ok(bell.into_signaller().into());
        }
        let (opened, bell) = if produce {
            let (receiver, bell) = Receiver::accept(&memory, entries, doorbell).map_err(refused)?;
            (Opened::Receiver(receiver), bell)
        } else {
            let (sender, bell) = Sender::accept(&memory, entries, doorbell).map_err(refused)?;
            (Opened::Sender(sender), bell)
        };
        *self.opened.borrow_mut() = Some(opened);
        Ok(bell.into())
    }
}

/// Its exit code is how many entries went through in order; negative when one was wrong.
pub fn run(mut env: Env, hostile: bool) -> i64 {
    let seed = number(&env, "seed", 1);
    let Ok(endpoint) = env.cap("serve") else { return -2 };
    let opener = Opener { hostile, opened: RefCell::new(None) };
    let mut receiver = serve::Receiver::new(endpoint, 1);
    block_on(async {
        if let Ok(Event::Call(request)) = receiver.next().await {
            serve_shared_queue(&opener, request).await;
        }
    });
    // The answer goes out with the next system call, whatever that is for.
    rt::threads::yield_now();
    match opener.opened.take() {
        Some(Opened::Receiver(receiver)) => consume(receiver),
        Some(Opened::Sender(sender)) => produce(sender),
        Some(Opened::Raw(memory, doorbell)) => scribble(&memory, &doorbell, seed),
        None => -3,
    }
}

/// Takes everything until the other side is gone.
pub fn consume(mut receiver: Receiver<WORDS>) -> i64 {
    let mut next = 0;
    let mut batch = [[0; WORDS]; ENTRIES as usize];
    // Batches of all sizes, so that the ends meet everywhere.
    while let Ok(count) =
        receiver.pop_all_blocking(batch.get_mut(..1 + next as usize % 7).unwrap_or_default())
    {
        for found in batch.iter().take(count) {
            if *found != entry(next) {
                return -1;
            }
            next += 1;
        }
    }
    next as i64
}

/// Writes the whole stream, or as much as is taken.
pub fn produce(mut sender: Sender<WORDS>) -> i64 {
    let mut next = 0;
    while next < STREAM {
        let size = (1 + next % 11).min(STREAM - next);
        let batch: [Entry; 11] = core::array::from_fn(|n| entry(next + n as u64));
        if sender.push_all_blocking(batch.get(..size as usize).unwrap_or_default()).is_err() {
            break;
        }
        next += size;
    }
    next as i64
}

/// Writes what it likes where it likes, rings, and ends.
fn scribble(memory: &MemoryObjectClient, doorbell: &SignallerClient, seed: u64) -> i64 {
    let Ok(region) = Region::map(memory, 0, 4096, Protection::ReadWrite) else { return -4 };
    let mut state = seed | 1;
    let mut random = || {
        // Xorshift: any sequence will do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for turn in 0..400 {
        let word = match random() % 4 {
            // The index words more often than the entries; small numbers more often than large ones.
            0 => 0,
            1 => 64,
            _ => random() % 512 * 8,
        };
        let value = if random() % 2 == 0 { random() } else { (random() % 64) | ((random() % 64) << 32) };
        region.store(word, value);
        if turn % 4 == 0 {
            let _ = doorbell.signal_blocking();
            rt::threads::yield_now();
        }
    }
    0
}
