//! Where the events of a kernel object end: a signaller that somebody bound to it, at the expense of who did.

use super::notification::Heard;
use super::signaller::Signaller;
use super::{Call, Object, Outcome, Sent, leases};
use crate::ipc::transfer;
use capos_abi::{ExceptionCode, TransferSlot};
use capos_mem::Resource;
use kernel_hal::account::Account;
use kernel_hal::lease::Lease;
use kernel_hal::sync::Ref;

/// A signaller that an object holds. Counts as one entry of an endpoint.
pub(crate) struct Binding {
    signaller: Signaller,
    account: Ref<Account>,
    /// The process that bound it.
    binder: u64,
    lease: Option<Lease>,
}

impl Binding {
    /// With the signaller that is the first capability beside the call, and where that lay: for [`Call::consume`] when all is done.
    pub fn of(call: &Call<'_>) -> Result<(Self, TransferSlot), Outcome> {
        let (signaller, slot) = match call.object(0)? {
            Sent { object: Object::Signaller(signaller), slot } => (signaller, slot),
            Sent { .. } => return Err(Outcome::exception(ExceptionCode::InvalidArgument)),
        };
        let lease = leases::of_binding(call.process(), slot.id())
            .map_err(|error| Outcome::error(transfer::refusal(error)))?;
        let account = call.process().account.clone();
        let charged = account.charge(Resource::EndpointEntries, 1);
        charged.map_err(|_| Outcome::exception(ExceptionCode::BudgetExhausted))?;
        Ok((Binding { signaller, account, binder: call.process().id, lease }, slot))
    }

    /// The event has happened. Never allocates, and waits for nothing: for interrupts, too. When nobody waits any more there is nobody to
    /// tell.
    pub fn signal(&self) -> Heard {
        if self.lease.as_ref().is_some_and(leases::is_revoked) {
            Heard::Nobody
        } else {
            self.signaller.raise()
        }
    }

    /// Whether process number `id` bound it.
    pub fn is_of(&self, id: u64) -> bool {
        self.binder == id
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.account.refund(Resource::EndpointEntries, 1);
    }
}
