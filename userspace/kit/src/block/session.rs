//! A client's end of a session.

use super::End;
use alloc::rc::Rc;
use capos_block::{Completion, Request, WORDS};
use rt::generated::{BlockDeviceClient, BlockSessionClient, MemoryObjectClient, SignallerClient};
use rt::listener::Listener;
use rt::queue::{Consumer, Producer, Wake};
use rt::shared::{Mapped, size};
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

/// Bytes of the memory of both queues of a session.
pub fn queues_size(entries: u32) -> Result<u64, CallError> {
    let one = size::<WORDS>(entries).filter(|_| capos_block::DEPTHS.contains(&entries));
    one.map(|one| 2 * one).ok_or(CallError::Exception(ExceptionCode::InvalidArgument.into()))
}

/// Both queues, requests first.
pub(super) fn map(
    object: &MemoryObjectClient,
    entries: u32,
) -> Result<(Mapped<WORDS>, Mapped<WORDS>), CallError> {
    let behind = queues_size(entries)? / 2;
    Ok((Mapped::map(object, entries)?, Mapped::map_at(object, behind, entries)?))
}

/// A session with a device. What is asked goes out in batches: [`Session::push`] any number, then [`Session::send`].
pub struct Session {
    requests: Producer<WORDS, Mapped<WORDS>>,
    completions: Consumer<WORDS, Mapped<WORDS>>,
    peer: SignallerClient,
    control: Rc<BlockSessionClient>,
    wake: Wake,
}

impl Session {
    /// Begins one of so many entries. `doorbell` is how we hear of completions, and by its loss of the server's end.
    pub async fn open(
        device: &BlockDeviceClient,
        entries: u32,
        doorbell: SignallerClient,
    ) -> Result<Session, CallError> {
        let object = memory().create_object(queues_size(entries)?).await?;
        let (requests, completions) = map(&object, entries)?;
        let reply = device.open(object, doorbell, entries).await?;
        Ok(Session {
            requests: Producer::new(requests),
            completions: Consumer::new(completions),
            peer: reply.doorbell,
            control: Rc::new(reply.session),
            wake: Wake::No,
        })
    }

    /// By which memory is attached.
    pub fn control(&self) -> &Rc<BlockSessionClient> {
        &self.control
    }

    /// Asks for something; false when there is no room. The server may see it at once, or not before [`Session::send`].
    #[inline]
    pub fn push(&mut self, request: &Request) -> Result<bool, End> {
        let pushed = self.requests.push(&request.encode())?;
        if pushed == Some(Wake::Yes) {
            self.wake = Wake::Yes;
        }
        Ok(pushed.is_some())
    }

    /// Sees to it that the server looks at what was asked, with the next wait.
    #[inline]
    pub fn send(&mut self, listener: &Listener) {
        if core::mem::replace(&mut self.wake, Wake::No) == Wake::Yes {
            listener.owe(&self.peer);
        }
    }

    /// The next completion.
    #[inline]
    pub fn take(&mut self) -> Result<Option<Completion>, End> {
        let mut entry = [0; WORDS];
        let Some(wake) = self.completions.pop(&mut entry)? else { return Ok(None) };
        if wake == Wake::Yes {
            self.wake = Wake::Yes;
        }
        Ok(Some(Completion::decode(&entry)))
    }

    /// To be asked when there is nothing to take, before waiting: whether the doorbell will tell of the next completion.
    #[inline]
    pub fn may_sleep(&mut self) -> Result<bool, End> {
        Ok(self.completions.may_sleep()?)
    }
}
