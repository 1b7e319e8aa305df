//! A client's end of the session with a network device.

use crate::asker::Asker;
use crate::queue::End;
use capos_nic::{Completion, DEPTHS, Request};
use core::ops::Deref;
use rt::CallError;
use rt::generated::{NicClient, NicSessionClient};

/// The session, as long as its server lives: when that is gone there is the next one, of which nothing is armed yet.
pub struct Session {
    asker: Asker,
    control: NicSessionClient,
}

impl Session {
    /// Begins it, with so many entries.
    pub async fn open(nic: &NicClient, entries: u32) -> Result<Session, CallError> {
        let opened = Asker::open(entries, &DEPTHS, async |memory, doorbell| {
            let reply = nic.open(memory, doorbell, entries).await?;
            Ok((reply.doorbell, reply.session))
        });
        let (asker, control) = opened.await?;
        Ok(Session { asker, control })
    }

    /// By which memory is attached, and chosen what to hear.
    pub fn control(&self) -> &NicSessionClient {
        &self.control
    }

    /// Asks for something; false when there is no room. The server may see it at once, or not before the next wait.
    #[inline]
    pub fn ask(&self, request: &Request) -> Result<bool, End> {
        self.asker.push(&request.encode())
    }

    /// The next thing that is over.
    #[inline]
    pub fn over(&self) -> Result<Option<Completion>, End> {
        Ok(self.asker.take()?.map(|entry| Completion::decode(&entry)))
    }
}

impl Deref for Session {
    type Target = Asker;

    fn deref(&self) -> &Asker {
        &self.asker
    }
}
