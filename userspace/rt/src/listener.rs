//! Waiting for one notification again and again: for what interrupts, doorbells and alarms tell.

use crate::cap::Cap;
use crate::generated::{EndpointFactoryClient, NotificationClient, SignallerClient};
use crate::ipc::{CallError, answer};
use crate::op::Operation;
use crate::thread;
use capos_abi::{CapId, Op, Sqe, TransportError};
use core::cell::Cell;
use core::mem::ManuallyDrop;

/// Bytes of the arena that a wait takes: it brings none.
const NOTHING: u32 = 8;

/// A notification of one's own, and a signal that is to go out with the next wait for it.
///
/// To signal and to wait is one submission and one entry of the kernel (`Op::Wait`): what a process does that answers one event with
/// another. A signal that is owed goes out when the wait does, so between [`Listener::owe`] and that nothing may be waited for elsewhere.
pub struct Listener {
    own: NotificationClient,
    owed: Cell<Option<CapId>>,
}

impl Listener {
    /// A new one, charged to this process.
    pub fn new() -> Result<Listener, CallError> {
        let factory = ManuallyDrop::new(EndpointFactoryClient::from(Cap::from_id(CapId::SELF_ENDPOINTS)));
        Ok(Listener { own: factory.create_notification_blocking()?, owed: Cell::new(None) })
    }

    /// What sets `bits` here, and `lost` when its last copy is gone.
    pub fn signaller(&self, bits: u64, lost: u64) -> Result<SignallerClient, CallError> {
        self.own.mint_blocking(bits, lost)
    }

    /// Signals `peer` with the next wait; another one that is owed already goes out now. Whether it is still there its own signaller says.
    pub fn owe(&self, peer: &SignallerClient) {
        let id = peer.cap().id();
        if let Some(owed) = self.owed.replace(Some(id)).filter(|owed| *owed != id) {
            let owed = ManuallyDrop::new(SignallerClient::from(Cap::from_id(owed)));
            // Gone or not: see above.
            let _ = owed.signal_blocking();
        }
    }

    /// Waits until any bit is set, and takes all that are.
    pub async fn wait(&self) -> Result<u64, CallError> {
        loop {
            let signal = self.owed.take().unwrap_or(CapId::NULL);
            let sqe = Sqe {
                op: Op::Wait as u8,
                cap: self.own.cap().id().raw(),
                interface: signal.raw(),
                ..Sqe::default()
            };
            let thread = thread::current();
            let run = thread.take_arena(NOTHING).ok_or(CallError::ArenaFull)?;
            let ended = Operation::submit(thread, &sqe, run).finish().await;
            let bits = ended.0.badge;
            match answer(thread, ended).map(drop) {
                Ok(()) => return Ok(bits),
                // The peer was given up meanwhile: then nobody is to be signalled.
                Err(CallError::Transport(TransportError::InvalidCap)) if signal != CapId::NULL => {}
                Err(error) => return Err(error),
            }
        }
    }
}
