//! Budgets that know who pays for them.

use crate::sync::{OutOfMemory, Ref};
use capos_mem::{Budget, Exhausted, RESOURCES, Resource};
use core::ops::Deref;

/// A budget whose limits were taken out of another one.
///
/// What is charged here keeps a [`Ref`] to it, so the parent gets its share back exactly when the last thing charged is gone,
/// also when that outlives the process (a shared memory object, say).
pub struct Account {
    budget: Budget,
    limits: [u64; RESOURCES],
    parent: Option<Ref<Account>>,
}

/// Why an account was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountError {
    /// The parent cannot afford the limits.
    Exhausted(Exhausted),
    /// The kernel heap has no room.
    OutOfMemory,
}

impl Account {
    /// The account at the top: what the whole machine has.
    pub fn root(limits: [u64; RESOURCES]) -> Result<Ref<Account>, OutOfMemory> {
        Ref::try_new(Account { budget: Budget::new(limits), limits, parent: None })
    }

    /// An account with `limits` that are charged to `parent` for as long as it lives. All or nothing.
    pub fn open(parent: &Ref<Account>, limits: [u64; RESOURCES]) -> Result<Ref<Account>, AccountError> {
        for (n, (resource, amount)) in Resource::ALL.into_iter().zip(limits).enumerate() {
            if let Err(exhausted) = parent.charge(resource, amount) {
                parent.refund_first(n, &limits);
                return Err(AccountError::Exhausted(exhausted));
            }
        }
        // From here on the account's own drop gives the charge back, also when there is no room for it.
        let account = Account { budget: Budget::new(limits), limits, parent: Some(parent.clone()) };
        Ref::try_new(account).map_err(|OutOfMemory| AccountError::OutOfMemory)
    }

    fn refund_first(&self, n: usize, amounts: &[u64; RESOURCES]) {
        for (resource, amount) in Resource::ALL.into_iter().zip(amounts).take(n) {
            self.refund(resource, *amount);
        }
    }
}

impl Deref for Account {
    type Target = Budget;

    fn deref(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.refund_first(RESOURCES, &self.limits);
        }
    }
}
