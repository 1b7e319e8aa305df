//! Shared queues between processes: `capos-queue` over mapped memory, with doorbells.
//!
//! Each side has a notification of its own. Its peer holds a signaller that rings when something has changed, and whose loss says that the
//! peer has ended: so whoever sleeps here is woken by an entry, by room, or by the peer's death.

use core::mem::ManuallyDrop;
use rt::generated::{
    EndpointFactoryClient, MemoryObjectClient, NotificationClient, SharedQueueClient, SignallerClient,
    VirtualMemoryClient,
};
use rt::queue::{Consumer, Fault, Producer, Wake};
use rt::shared::{Mapped, size};
use rt::{CallError, Cap, CapId, ExceptionCode};

/// Something has changed.
const RING: u64 = 1 << 0;
/// The peer has ended, or has given the queue up.
const LOST: u64 = 1 << 1;

/// Why a queue is of no use any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The peer has ended, or has given the queue up.
    Gone,
    /// The peer wrote what cannot be.
    Fault(Fault),
    /// The kernel refuses.
    Call(CallError),
}

impl core::fmt::Display for End {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            End::Gone => f.write_str("the other side is gone"),
            End::Fault(Fault::Tail) => f.write_str("the producer's index is corrupt"),
            End::Fault(Fault::Head) => f.write_str("the consumer's index is corrupt"),
            End::Call(error) => error.fmt(f),
        }
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        End::Fault(fault)
    }
}

impl From<CallError> for End {
    fn from(error: CallError) -> Self {
        End::Call(error)
    }
}

/// A notification of one's own, and what to give to the peer.
pub struct Bell {
    own: NotificationClient,
    theirs: SignallerClient,
}

impl Bell {
    /// A new one, charged to this process.
    pub fn new() -> Result<Bell, CallError> {
        let factory = ManuallyDrop::new(EndpointFactoryClient::from(Cap::from_id(CapId::SELF_ENDPOINTS)));
        let own = factory.create_notification_blocking()?;
        let theirs = own.mint_blocking(RING, LOST)?;
        Ok(Bell { own, theirs })
    }

    /// The signaller alone: nobody will hear it.
    pub fn into_signaller(self) -> SignallerClient {
        self.theirs
    }

    /// The signaller for the peer, to be moved to it: a copy that stayed here would keep its loss from being noticed.
    fn split(self, peer: SignallerClient) -> (Doorbell, SignallerClient) {
        (Doorbell { own: self.own, peer, lost: false }, self.theirs)
    }
}

/// Both bells of a queue, as one side holds them.
struct Doorbell {
    own: NotificationClient,
    peer: SignallerClient,
    lost: bool,
}

impl Doorbell {
    fn ring(&mut self, wake: Wake) {
        // A peer that cannot wait any more is gone: its own signaller says so, too.
        if wake == Wake::Yes && self.peer.signal_blocking().is_err() {
            self.lost = true;
        }
    }

    /// Whether the peer is known to be gone: looks without waiting.
    fn is_lost(&mut self) -> Result<bool, End> {
        self.lost |= self.own.poll_blocking()? & LOST != 0;
        Ok(self.lost)
    }

    async fn wait(&mut self) -> Result<(), End> {
        let bits = self.own.wait().await?;
        self.lost |= bits & LOST != 0;
        Ok(())
    }

    fn wait_blocking(&mut self) -> Result<(), End> {
        let bits = self.own.wait_blocking()?;
        self.lost |= bits & LOST != 0;
        Ok(())
    }
}

/// The producing side.
pub struct Sender<const WORDS: usize> {
    queue: Producer<WORDS, Mapped<WORDS>>,
    bell: Doorbell,
}

/// The consuming side.
pub struct Receiver<const WORDS: usize> {
    queue: Consumer<WORDS, Mapped<WORDS>>,
    bell: Doorbell,
}

/// Memory for so many entries, charged to this process.
fn memory<const WORDS: usize>(entries: u32) -> Result<MemoryObjectClient, CallError> {
    let own = ManuallyDrop::new(VirtualMemoryClient::from(Cap::from_id(CapId::SELF_MEMORY)));
    let size = size::<WORDS>(entries).ok_or(CallError::Exception(ExceptionCode::InvalidArgument.into()))?;
    own.create_object_blocking(size)
}

/// What we bring along to open a queue: our mapping of the memory, and the memory and our bell to give.
fn prepare<const WORDS: usize>(entries: u32) -> Result<(Mapped<WORDS>, MemoryObjectClient, Bell), CallError> {
    let bell = Bell::new()?;
    let object = memory::<WORDS>(entries)?;
    Ok((Mapped::map(&object, entries)?, object, bell))
}

impl<const WORDS: usize> Sender<WORDS> {
    /// Opens a queue of so many entries, into which we produce.
    pub fn open_blocking(server: &SharedQueueClient, entries: u32) -> Result<Self, CallError> {
        let (mapped, object, Bell { own, theirs }) = prepare(entries)?;
        let peer = server.open_blocking(object, theirs, entries, true)?;
        Ok(Sender { queue: Producer::new(mapped), bell: Doorbell { own, peer, lost: false } })
    }

    /// Waits until there is room for an entry, and somebody who may take it.
    pub async fn ready(&mut self) -> Result<(), End> {
        loop {
            if self.bell.is_lost()? {
                return Err(End::Gone);
            }
            if self.queue.room()? > 0 || !self.queue.may_sleep(1)? {
                return Ok(());
            }
            self.bell.wait().await?;
        }
    }

    /// The side of a server to whom somebody opened one, and the doorbell to answer with.
    pub fn accept(
        object: &MemoryObjectClient,
        entries: u32,
        peer: SignallerClient,
    ) -> Result<(Self, SignallerClient), CallError> {
        let mapped = Mapped::map(object, entries)?;
        let (bell, theirs) = Bell::new()?.split(peer);
        Ok((Sender { queue: Producer::new(mapped), bell }, theirs))
    }

    /// Appends an entry, waiting for room.
    pub async fn push(&mut self, entry: &[u64; WORDS]) -> Result<(), End> {
        self.push_all(core::slice::from_ref(entry)).await
    }

    /// Appends all entries, in as few steps as there is room for. Dropping the future leaves off in between.
    pub async fn push_all(&mut self, entries: &[[u64; WORDS]]) -> Result<(), End> {
        let mut rest = entries;
        while !self.push_some(&mut rest)? {
            self.bell.wait().await?;
        }
        Ok(())
    }

    /// Like [`Sender::push_all`], but the thread waits.
    pub fn push_all_blocking(&mut self, entries: &[[u64; WORDS]]) -> Result<(), End> {
        let mut rest = entries;
        while !self.push_some(&mut rest)? {
            self.bell.wait_blocking()?;
        }
        Ok(())
    }

    /// Takes off `rest` what there is room for. False when there is more, and we are to wait.
    fn push_some(&mut self, rest: &mut &[[u64; WORDS]]) -> Result<bool, End> {
        loop {
            if self.bell.lost {
                return Err(End::Gone);
            }
            let (count, wake) = self.queue.push_all(rest)?;
            *rest = rest.get(count..).unwrap_or_default();
            self.bell.ring(wake);
            if rest.is_empty() {
                return Ok(true);
            }
            // A signal for each entry that leaves would cost more than the entries; half a queue keeps both sides busy.
            let half = (rt::queue::Slots::entries(self.queue.memory()) / 2).min(rest.len() as u32);
            if self.queue.may_sleep(half)? && !self.bell.lost {
                return Ok(false);
            }
        }
    }
}

impl<const WORDS: usize> Receiver<WORDS> {
    /// Opens a queue of so many entries, from which we consume.
    pub async fn open(server: &SharedQueueClient, entries: u32) -> Result<Self, CallError> {
        let (mapped, object, Bell { own, theirs }) = prepare(entries)?;
        let peer = server.open(object, theirs, entries, false).await?;
        Ok(Receiver { queue: Consumer::new(mapped), bell: Doorbell { own, peer, lost: false } })
    }

    /// Like [`Receiver::open`], but the thread waits.
    pub fn open_blocking(server: &SharedQueueClient, entries: u32) -> Result<Self, CallError> {
        let (mapped, object, Bell { own, theirs }) = prepare(entries)?;
        let peer = server.open_blocking(object, theirs, entries, false)?;
        Ok(Receiver { queue: Consumer::new(mapped), bell: Doorbell { own, peer, lost: false } })
    }

    /// The side of a server to whom somebody opened one, and the doorbell to answer with.
    pub fn accept(
        object: &MemoryObjectClient,
        entries: u32,
        peer: SignallerClient,
    ) -> Result<(Self, SignallerClient), CallError> {
        let mapped = Mapped::map(object, entries)?;
        let (bell, theirs) = Bell::new()?.split(peer);
        Ok((Receiver { queue: Consumer::new(mapped), bell }, theirs))
    }

    /// Takes the next entries, at least one, waiting for it; says how many. What was written before the producer ended still comes.
    pub async fn pop_all(&mut self, out: &mut [[u64; WORDS]]) -> Result<usize, End> {
        loop {
            if let Some(count) = self.pop_some(out)? {
                return Ok(count);
            }
            self.bell.wait().await?;
        }
    }

    /// Like [`Receiver::pop_all`], but the thread waits.
    pub fn pop_all_blocking(&mut self, out: &mut [[u64; WORDS]]) -> Result<usize, End> {
        loop {
            if let Some(count) = self.pop_some(out)? {
                return Ok(count);
            }
            self.bell.wait_blocking()?;
        }
    }

    /// What there is; `None` when we are to wait.
    fn pop_some(&mut self, out: &mut [[u64; WORDS]]) -> Result<Option<usize>, End> {
        loop {
            let lost = self.bell.lost;
            let (count, wake) = self.queue.pop_all(out)?;
            self.bell.ring(wake);
            if count > 0 {
                return Ok(Some(count));
            }
            // It was gone before we found nothing.
            if lost {
                return Err(End::Gone);
            }
            if self.queue.may_sleep()? && !self.bell.lost {
                return Ok(None);
            }
        }
    }
}
