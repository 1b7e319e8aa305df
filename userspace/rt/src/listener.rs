//! Waiting for one notification again and again: for what interrupts, doorbells and alarms tell.

use crate::cap::Cap;
use crate::generated::{EndpointFactoryClient, NotificationClient, SignallerClient};
use crate::ipc::CallError;
use crate::op::Plain;
use crate::thread;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, ExceptionCode, Op, Sqe, TransportError};
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::mem::ManuallyDrop;
use core::task::Poll;

/// A notification of one's own, and a signal that is to go out with the next wait for it.
///
/// To signal and to wait is one submission and one entry of the kernel (`Op::Wait`): what a process does that answers one event with
/// another. A signal that is owed goes out when the wait does, so between [`Listener::owe`] and that nothing may be waited for elsewhere.
/// A wait whose future is dropped goes on: what it brings is for the next.
pub struct Listener {
    own: NotificationClient,
    owed: Cell<CapId>,
    /// The wait that was begun, and whether a signal went along.
    wait: RefCell<Option<(Plain, bool)>>,
}

impl Listener {
    /// A new one, charged to this process.
    pub fn new() -> Result<Listener, CallError> {
        let factory = ManuallyDrop::new(EndpointFactoryClient::from(Cap::from_id(CapId::SELF_ENDPOINTS)));
        let own = factory.create_notification_blocking()?;
        Ok(Listener { own, owed: Cell::new(CapId::NULL), wait: RefCell::new(None) })
    }

    /// What sets `bits` here, and `lost` when its last copy is gone.
    pub fn signaller(&self, bits: u64, lost: u64) -> Result<SignallerClient, CallError> {
        self.own.mint_blocking(bits, lost)
    }

    /// Signals `peer` with the next wait; another one that is owed already goes out now. Whether it is still there its own signaller says.
    #[inline]
    pub fn owe(&self, peer: &SignallerClient) {
        let owed = self.owed.replace(peer.cap().id());
        if owed != CapId::NULL && owed != peer.cap().id() {
            signal(owed);
        }
    }

    /// Waits until any bit is set, and takes all that are. One future at a time.
    pub async fn wait(&self) -> Result<u64, CallError> {
        self.begin();
        let (cqe, signals) = self.completion().await;
        bits(&cqe, signals)
    }

    /// The same for the last thing that a task looks at before it has nothing to do: if nobody else of this thread has anything to do either it
    /// sleeps here and now, which spares the way back to the executor and here again. What the same task polls behind this waits, too. `None` if there
    /// is something else to do first: then it is to [wait](Self::wait).
    #[inline]
    pub fn rest(&self) -> Option<Result<u64, CallError>> {
        let thread = thread::current();
        if self.wait.borrow().is_some() || thread.tasks.anything_ready() {
            return None;
        }
        let (sqe, signals) = self.next();
        match Plain::sleep(thread, &sqe) {
            Ok(cqe) => Some(bits(&cqe, signals)),
            Err(wait) => {
                *self.wait.borrow_mut() = Some((wait, signals));
                None
            }
        }
    }

    /// What comes of the wait that was begun.
    async fn completion(&self) -> (Cqe, bool) {
        poll_fn(|cx| {
            let mut wait = self.wait.borrow_mut();
            let Some((begun, signals)) = &mut *wait else { return Poll::Pending };
            let polled = begun.poll(cx).map(|cqe| (cqe, *signals));
            if polled.is_ready() {
                *wait = None;
            }
            polled
        })
        .await
    }

    /// Submits a wait, unless there is one.
    fn begin(&self) {
        let mut wait = self.wait.borrow_mut();
        if wait.is_some() {
            let owed = self.owed.replace(CapId::NULL);
            if owed != CapId::NULL {
                signal(owed);
            }
            return;
        }
        let (sqe, signals) = self.next();
        *wait = Some((Plain::submit(thread::current(), &sqe), signals));
    }

    /// A wait, and whether a signal goes along.
    #[inline]
    fn next(&self) -> (Sqe, bool) {
        let owed = self.owed.replace(CapId::NULL);
        let (cap, interface) = (self.own.cap().id().raw(), owed.raw());
        (Sqe { op: Op::Wait as u8, cap, interface, ..Sqe::default() }, owed != CapId::NULL)
    }
}

/// What a completed wait says, with which a signal went along or not.
#[inline]
fn bits(cqe: &Cqe, signals: bool) -> Result<u64, CallError> {
    let refused = match TransportError::from_code(cqe.result) {
        Some(error) => CallError::from(error),
        None if cqe.flags & cqe_flags::EXCEPTION == 0 => return Ok(cqe.badge),
        None => CallError::Exception(ExceptionCode::from_code(cqe.method).into()),
    };
    // It may have been the signal, to a peer that is gone. Whoever waits looks why he was woken, and waits again without one.
    if signals { Ok(0) } else { Err(refused) }
}

/// Signals now. A peer that is gone hears nothing, and that it is gone its own signaller says.
fn signal(peer: CapId) {
    let peer = ManuallyDrop::new(SignallerClient::from(Cap::from_id(peer)));
    let _ = peer.signal_blocking();
}
