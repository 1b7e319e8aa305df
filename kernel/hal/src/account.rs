//! Budgets that know who pays for them.

use crate::sync::{OutOfMemory, Ref};
use capos_mem::{Budget, Exhausted, RESOURCES, Resource};
use core::ops::Deref;
use core::sync::atomic::{AtomicU64, Ordering};

/// A budget whose limits were taken out of another one.
///
/// What is charged here keeps a [`Ref`] to it, so the parent gets its share back exactly when the last thing charged is gone,
/// also when that outlives the process (a shared memory object, say).
pub struct Account {
    budget: Budget,
    limits: [u64; RESOURCES],
    /// What the parent has got back already: see [`Account::close`].
    returned: [AtomicU64; RESOURCES],
    /// How much of what is in use here is the limits of accounts opened under this one.
    lent: [AtomicU64; RESOURCES],
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
        Ref::try_new(Account::new(limits, None))
    }

    /// An account with `limits` that are charged to `parent` for as long as it lives. All or nothing.
    pub fn open(parent: &Ref<Account>, limits: [u64; RESOURCES]) -> Result<Ref<Account>, AccountError> {
        for (n, (resource, amount)) in Resource::ALL.into_iter().zip(limits).enumerate() {
            if let Err(exhausted) = parent.charge(resource, amount) {
                parent.refund_first(n, &limits);
                return Err(AccountError::Exhausted(exhausted));
            }
        }
        parent.lent.iter().zip(limits).for_each(|(lent, limit)| add(lent, limit));
        // From here on the account's own drop gives the charge back, also when there is no room for it.
        Ref::try_new(Account::new(limits, Some(parent.clone())))
            .map_err(|OutOfMemory| AccountError::OutOfMemory)
    }

    fn new(limits: [u64; RESOURCES], parent: Option<Ref<Account>>) -> Self {
        let zeros = || [const { AtomicU64::new(0) }; RESOURCES];
        Account { budget: Budget::new(limits), limits, returned: zeros(), lent: zeros(), parent }
    }

    /// Gives the parent back what is not in use, for good: the process that it was for has ended. What still is in use follows
    /// with the last reference.
    pub fn close(&self) {
        let Some(parent) = &self.parent else { return };
        for (resource, returned) in Resource::ALL.into_iter().zip(&self.returned) {
            let left = self.left(resource);
            // Charged to nobody: nothing more can be charged here, whatever is refunded meanwhile.
            if left > 0 && self.charge(resource, left).is_ok() {
                add(returned, left);
                parent.get_back(resource, left);
            }
        }
    }

    /// What was lent to a child comes back.
    fn get_back(&self, resource: Resource, amount: u64) {
        // In bounds: the numbers of the resources are 0..RESOURCES.
        self.lent[resource as usize].fetch_sub(amount, Ordering::Relaxed);
        self.refund(resource, amount);
    }

    /// How much is in use by what was charged here itself, not by the limits of accounts under this one.
    pub fn own(&self, resource: Resource) -> u64 {
        self.used(resource).saturating_sub(self.lent(resource))
    }

    /// How much accounts under this one were lent.
    pub fn lent(&self, resource: Resource) -> u64 {
        self.lent[resource as usize].load(Ordering::Relaxed)
    }

    /// How much of its parent's this account has.
    pub fn borrowed(&self, resource: Resource) -> u64 {
        let n = resource as usize;
        self.limits[n].saturating_sub(self.returned[n].load(Ordering::Relaxed))
    }

    /// Whether its limits were taken out of `other`.
    pub fn is_under(&self, other: &Ref<Account>) -> bool {
        self.parent.as_ref().is_some_and(|parent| Ref::ptr_eq(parent, other))
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

impl Account {
    /// Refunds to the parent what it has not got back yet, and lets it go.
    fn give_back(&mut self) -> Option<Ref<Account>> {
        let parent = self.parent.take()?;
        for ((resource, limit), returned) in
            Resource::ALL.into_iter().zip(self.limits).zip(&mut self.returned)
        {
            parent.get_back(resource, limit - *returned.get_mut());
        }
        Some(parent)
    }
}

impl Drop for Account {
    /// In a loop and not one inside the other: programs decide how long a chain of accounts is.
    fn drop(&mut self) {
        let mut next = self.give_back();
        while let Some(mut account) = next.and_then(Ref::into_inner) {
            next = account.give_back();
        }
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
