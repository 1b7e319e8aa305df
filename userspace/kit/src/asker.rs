//! A client's end of a session with a device.

use crate::port::{WORDS, map, queues_size};
use crate::queue::End;
use core::cell::RefCell;
use core::ops::RangeInclusive;
use rt::CallError;
use rt::generated::{MemoryObjectClient, SignallerClient};
use rt::listener::Listener;
use rt::queue::{Consumer, Producer, Wake};
use rt::shared::Mapped;
use rt::threads::memory;

/// What our doorbell tells.
const RING: u64 = 1;
const LOST: u64 = 2;
const OTHER: u64 = 4;

/// The queues of a session, as long as its server lives. What is asked goes out in batches: [`Asker::push`] any number, then wait.
pub struct Asker {
    queues: RefCell<Queues>,
    listener: Listener,
    peer: SignallerClient,
}

struct Queues {
    requests: Producer<WORDS, Mapped<WORDS>>,
    completions: Consumer<WORDS, Mapped<WORDS>>,
    wake: Wake,
}

impl Asker {
    /// Begins one of so many entries, with whoever takes the memory of the queues and our doorbell, and gives his.
    pub async fn open<T>(
        entries: u32,
        depths: &RangeInclusive<u32>,
        open: impl AsyncFnOnce(MemoryObjectClient, SignallerClient) -> Result<(SignallerClient, T), CallError>,
    ) -> Result<(Asker, T), CallError> {
        let object = memory().create_object(queues_size(entries, depths)?).await?;
        let (requests, completions) = map(&object, entries, depths)?;
        let listener = Listener::new()?;
        let (peer, told) = open(object, listener.signaller(RING, LOST)?).await?;
        let queues = Queues {
            requests: Producer::new(requests),
            completions: Consumer::new(completions),
            wake: Wake::No,
        };
        Ok((Asker { queues: RefCell::new(queues), listener, peer }, told))
    }

    /// Asks for something; false when there is no room. The server may see it at once, or not before [`Asker::wait`].
    #[inline]
    pub fn push(&self, request: &[u64; WORDS]) -> Result<bool, End> {
        let mut queues = self.queues.borrow_mut();
        let pushed = queues.requests.push(request)?;
        if pushed == Some(Wake::Yes) {
            queues.wake = Wake::Yes;
        }
        Ok(pushed.is_some())
    }

    /// The next completion.
    #[inline]
    pub fn take(&self) -> Result<Option<[u64; WORDS]>, End> {
        let mut queues = self.queues.borrow_mut();
        let mut entry = [0; WORDS];
        let Some(wake) = queues.completions.pop(&mut entry)? else { return Ok(None) };
        if wake == Wake::Yes {
            queues.wake = Wake::Yes;
        }
        Ok(Some(entry))
    }

    /// By which something else ends a wait, too: an alarm.
    pub fn signaller(&self) -> Result<SignallerClient, CallError> {
        self.listener.signaller(OTHER, OTHER)
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
