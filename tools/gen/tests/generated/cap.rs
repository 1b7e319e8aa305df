//! Capabilities that note when they are given up.

use std::cell::RefCell;

use capos_abi::{CapId, TransferSlot};

thread_local! {
    static RELEASED: RefCell<Vec<CapId>> = const { RefCell::new(Vec::new()) };
}

/// What was given up in this thread, so in this test, since it was asked last.
pub fn released() -> Vec<CapId> {
    RELEASED.take()
}

/// An owned capability.
#[derive(Debug)]
pub struct Cap(pub CapId);

impl Drop for Cap {
    fn drop(&mut self) {
        RELEASED.with_borrow_mut(|released| released.push(self.0));
    }
}

/// What all clients have in common.
pub trait Client: From<Cap> {
    /// The interface's id.
    const ID: u64;
}

/// A capability on its way out.
pub struct Outgoing(TransferSlot, Option<Cap>);

impl Outgoing {
    /// The word of the capability array.
    pub fn slot(&self) -> TransferSlot {
        self.0
    }

    /// It arrived.
    pub fn delivered(mut self) {
        std::mem::forget(self.1.take());
    }
}

impl From<&Cap> for Outgoing {
    fn from(cap: &Cap) -> Self {
        Outgoing(TransferSlot::copy(cap.0), None)
    }
}

impl From<Cap> for Outgoing {
    fn from(cap: Cap) -> Self {
        Outgoing(TransferSlot::moved(cap.0), Some(cap))
    }
}
