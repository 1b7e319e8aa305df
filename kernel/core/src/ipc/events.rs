//! `WAIT`: for bits of a notification, after a signal to another. What two sides that take turns do, in one submission.

use crate::cap::Object;
use crate::cap::notification::Event;
use crate::cap::notification::Heard;
use crate::cap::signaller::Signaller;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::ring::check;
use crate::task::revoke;
use crate::task::thread::{self, Thread};
use capos_abi::{Cqe, TransportError};
use kernel_hal::sync::Ref;

/// `WAIT` of the current thread, after a signal through `signaller` (0 for none). `Ok(None)` means that it waits.
pub(crate) fn wait(
    thread: &Ref<Thread>,
    signaller: u64,
    buffers: &Buffers,
) -> Result<Option<Cqe>, TransportError> {
    let (event, signaller) = named(thread, buffers.cap, signaller)?;
    if let Some(signaller) = signaller
        && signaller.raise() == Heard::Nobody
    {
        return Err(TransportError::Disconnected);
    }
    let bits = event.wait(|| {
        let id = thread.begin(*buffers, Waiting::Bits(event.clone()))?;
        Ok(Ticket { thread: thread.clone(), id })
    })?;
    if bits.is_none() {
        revoke::catch_up_with(thread, buffers.cap);
    }
    Ok(bits.map(|bits| thread::happened(buffers.user_data, bits)))
}

/// What the submission names: where to wait, and what to signal before.
fn named(
    thread: &Ref<Thread>,
    own: u64,
    other: u64,
) -> Result<(Ref<Event>, Option<Signaller>), TransportError> {
    let (own, signaller) = (check::named(own)?, check::named(other)?);
    let table = thread.process.table.lock();
    let event = match table.lookup(own).map(|entry| &entry.object) {
        Ok(Object::Notification(notification)) => notification.event().clone(),
        Ok(_) => return Err(TransportError::WrongKind),
        Err(_) => return Err(TransportError::InvalidCap),
    };
    if other == 0 {
        return Ok((event, None));
    }
    match table.lookup(signaller).map(|entry| &entry.object) {
        Ok(Object::Signaller(signaller)) => Ok((event, Some(signaller.clone()))),
        Ok(_) => Err(TransportError::WrongKind),
        Err(_) => Err(TransportError::InvalidCap),
    }
}
