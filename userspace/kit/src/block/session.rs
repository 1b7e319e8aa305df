//! A client's end of a session.

use super::End;
use capos_block::{Completion, Geometry, Request, WORDS};
use core::cell::RefCell;
use rt::generated::{BlockDeviceClient, BlockSessionClient, MemoryObjectClient, SignallerClient};
use rt::listener::Listener;
use rt::queue::{Consumer, Producer, Wake};
use rt::schema::block_device::InfoResults;
use rt::shared::{Mapped, size};
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

/// Bytes of the memory of both queues of a session.
pub fn queues_size(entries: u32) -> Result<u64, CallError> {
    let one = size::<WORDS>(entries).filter(|_| capos_block::DEPTHS.contains(&entries));
    one.map(|one| 2 * one).ok_or(CallError::Exception(ExceptionCode::InvalidArgument.into()))
}

/// What a device is like, by what its server says; `None` when there are none like that.
pub fn geometry(info: &InfoResults) -> Option<Geometry> {
    let InfoResults { sectors, sector_size, most, read_only, cache, discard, zero, .. } = *info;
    let is_size = sector_size.is_power_of_two() && (512..=4096).contains(&sector_size);
    let sector_shift = sector_size.trailing_zeros() as u8;
    let geometry = Geometry { sectors, sector_shift, most, read_only, cache, discard, zero };
    (is_size && sectors > 0 && most > 0).then_some(geometry)
}

/// Whether that device can be the one of which its server said `before`: it may have become larger since.
pub fn continues(info: &InfoResults, before: &InfoResults) -> bool {
    info.sectors >= before.sectors && InfoResults { sectors: before.sectors, ..*info } == *before
}

/// Both queues, requests first.
pub(super) fn map(
    object: &MemoryObjectClient,
    entries: u32,
) -> Result<(Mapped<WORDS>, Mapped<WORDS>), CallError> {
    let behind = queues_size(entries)? / 2;
    Ok((Mapped::map(object, entries)?, Mapped::map_at(object, behind, entries)?))
}

/// What our doorbell tells.
const RING: u64 = 1;
const LOST: u64 = 2;

/// A session with a device, as long as its server lives. What is asked goes out in batches: [`Session::push`] any number, then wait.
pub(super) struct Session {
    queues: RefCell<Queues>,
    listener: Listener,
    peer: SignallerClient,
    control: BlockSessionClient,
}

struct Queues {
    requests: Producer<WORDS, Mapped<WORDS>>,
    completions: Consumer<WORDS, Mapped<WORDS>>,
    wake: Wake,
}

impl Session {
    /// Begins one of so many entries; with which arrival of the device.
    pub async fn open(device: &BlockDeviceClient, entries: u32) -> Result<(Session, u32), CallError> {
        let object = memory().create_object(queues_size(entries)?).await?;
        let (requests, completions) = map(&object, entries)?;
        let listener = Listener::new()?;
        let reply = device.open(object, listener.signaller(RING, LOST)?, entries).await?;
        let queues = Queues {
            requests: Producer::new(requests),
            completions: Consumer::new(completions),
            wake: Wake::No,
        };
        let (queues, peer, control) = (RefCell::new(queues), reply.doorbell, reply.session);
        Ok((Session { queues, listener, peer, control }, reply.arrival))
    }

    /// By which memory is attached.
    pub fn control(&self) -> &BlockSessionClient {
        &self.control
    }

    /// Asks for something; false when there is no room. The server may see it at once, or not before [`Session::wait`].
    #[inline]
    pub fn push(&self, request: &Request) -> Result<bool, End> {
        let mut queues = self.queues.borrow_mut();
        let pushed = queues.requests.push(&request.encode())?;
        if pushed == Some(Wake::Yes) {
            queues.wake = Wake::Yes;
        }
        Ok(pushed.is_some())
    }

    /// The next completion.
    #[inline]
    pub fn take(&self) -> Result<Option<Completion>, End> {
        let mut queues = self.queues.borrow_mut();
        let mut entry = [0; WORDS];
        let Some(wake) = queues.completions.pop(&mut entry)? else { return Ok(None) };
        if wake == Wake::Yes {
            queues.wake = Wake::Yes;
        }
        Ok(Some(Completion::decode(&entry)))
    }

    /// Sees to it that the server looks at what was asked, and waits until it has answered something; false when it is gone. One future at a time.
    pub async fn wait(&self) -> Result<bool, End> {
        Ok(!self.send()? || self.listener.wait().await? & LOST == 0)
    }

    /// The same at once, if it is the last thing that its task waits for: see [`Listener::rest`].
    #[inline]
    pub fn rest(&self) -> Option<Result<bool, End>> {
        match self.send() {
            Ok(true) => {}
            Ok(false) => return Some(Ok(true)),
            Err(end) => return Some(Err(end)),
        }
        let bits = self.listener.rest()?;
        Some(bits.map(|bits| bits & LOST == 0).map_err(End::from))
    }

    /// Sees to it that the server looks at what was asked, for who does not wait here himself.
    pub fn ring(&self) {
        let wake = core::mem::replace(&mut self.queues.borrow_mut().wake, Wake::No);
        if wake == Wake::Yes {
            // Whether it is still there the one who waits hears.
            let _ = self.peer.signal_blocking();
        }
    }

    /// Whether there is nothing to take, and the doorbell will tell.
    #[inline]
    fn send(&self) -> Result<bool, End> {
        let mut queues = self.queues.borrow_mut();
        if !queues.completions.may_sleep()? {
            return Ok(false);
        }
        if core::mem::replace(&mut queues.wake, Wake::No) == Wake::Yes {
            self.listener.owe(&self.peer);
        }
        Ok(true)
    }
}
