//! Owned capabilities: dropping one gives it up.

use crate::thread;
use capos_abi::{CapId, TransferSlot};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// One entry of this process's capability table, owned. Dropping it queues a RELEASE, which goes to the kernel with the next
/// `cap_enter`; there is no `close` anywhere (architecture, section 4).
#[derive(Debug, PartialEq, Eq)]
pub struct Cap {
    id: CapId,
}

impl Cap {
    /// Takes ownership of an entry. Owning an id twice is harmless to others: the second release finds a stale id.
    pub const fn from_id(id: CapId) -> Cap {
        Cap { id }
    }

    /// Its id.
    #[inline]
    pub const fn id(&self) -> CapId {
        self.id
    }

    /// Gives up ownership without giving up the capability.
    pub fn into_id(self) -> CapId {
        let id = self.id;
        core::mem::forget(self);
        id
    }
}

impl Drop for Cap {
    fn drop(&mut self) {
        if self.id != CapId::NULL {
            thread::current().release(self.id);
        }
    }
}

/// A typed client: a capability together with the interface it is believed to speak. Every generated client is one.
pub trait Client: From<Cap> {
    /// The interface id.
    const ID: u64;
}

/// A capability on its way out with a message: a copy of a borrowed one, or an owned one that moves.
///
/// A moved capability that was not delivered after all is released on drop like any other; after delivery that release finds a
/// stale id, which the kernel refuses and nobody hears of.
pub struct Outgoing {
    slot: TransferSlot,
    moved: Option<Cap>,
}

impl Outgoing {
    /// The word for the capability array.
    pub fn slot(&self) -> TransferSlot {
        self.slot
    }

    /// Says that the message has arrived: a moved capability is no longer ours and needs no release.
    pub fn delivered(mut self) {
        if let Some(cap) = self.moved.take() {
            cap.into_id();
        }
    }
}

impl From<&Cap> for Outgoing {
    fn from(cap: &Cap) -> Self {
        Outgoing { slot: TransferSlot::copy(cap.id), moved: None }
    }
}

impl From<Cap> for Outgoing {
    fn from(cap: Cap) -> Self {
        Outgoing { slot: TransferSlot::moved(cap.id), moved: Some(cap) }
    }
}

/// A typed client over a capability that somebody else owns.
pub struct Lent<'a, C> {
    client: ManuallyDrop<C>,
    owner: PhantomData<&'a Cap>,
}

impl<'a, C: Client> Lent<'a, C> {
    /// Over `cap`, which is believed to speak the client's interface; the kernel checks that at each call.
    pub fn of(cap: &'a Cap) -> Self {
        Lent { client: ManuallyDrop::new(C::from(Cap::from_id(cap.id()))), owner: PhantomData }
    }
}

impl<C> Deref for Lent<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.client
    }
}
