//! What a process may use of each resource (architecture section 4).
//!
//! A budget is charged before the thing is made and refunded when it is gone. Both may happen on any CPU at any time, so the
//! counters are atomics; a charge that would exceed the limit takes nothing, even for a moment.

use crate::sync::{AtomicU64, Ordering};

/// Something that a budget counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Resource {
    /// Pages of memory: user pages, page tables, ring blocks.
    MemoryPages = 0,
    /// Slots of the capability table.
    CapSlots = 1,
    /// Threads.
    Threads = 2,
    /// Calls submitted and not yet completed.
    CallsInFlight = 3,
    /// Entries of endpoint queues.
    EndpointEntries = 4,
    /// Bytes of the kernel log.
    LogBytes = 5,
    /// Pages that devices may reach, which are pages of memory, too.
    DmaPages = 6,
    /// Interrupt vectors of devices.
    Vectors = 7,
}

/// How many kinds of resource there are.
pub const RESOURCES: usize = 8;

impl Resource {
    /// Every resource, in the order of their numbers.
    pub const ALL: [Resource; RESOURCES] = [
        Resource::MemoryPages,
        Resource::CapSlots,
        Resource::Threads,
        Resource::CallsInFlight,
        Resource::EndpointEntries,
        Resource::LogBytes,
        Resource::DmaPages,
        Resource::Vectors,
    ];
}

/// A charge was refused: the caller's budget of this resource is used up. Nothing was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exhausted(pub Resource);

struct Counter {
    used: AtomicU64,
    limit: u64,
}

/// Limits and use of every [`Resource`].
pub struct Budget {
    counters: [Counter; RESOURCES],
}

impl Budget {
    /// A budget with these limits, in the order of [`Resource::ALL`], of which nothing is used.
    pub fn new(limits: [u64; RESOURCES]) -> Self {
        Budget { counters: limits.map(|limit| Counter { used: AtomicU64::new(0), limit }) }
    }

    /// Takes `amount`, all or nothing.
    ///
    /// # Errors
    /// [`Exhausted`] when the limit would be exceeded.
    #[inline]
    pub fn charge(&self, resource: Resource, amount: u64) -> Result<(), Exhausted> {
        let counter = self.counter(resource);
        let mut used = counter.used.load(Ordering::Relaxed);
        loop {
            let wanted = match used.checked_add(amount) {
                Some(wanted) if wanted <= counter.limit => wanted,
                _ => return Err(Exhausted(resource)),
            };
            // Relaxed is enough: the counter guards no other memory, only itself.
            match counter.used.compare_exchange_weak(used, wanted, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => used = current,
            }
        }
    }

    /// Gives `amount` back. Giving back more than was taken is a defect of the caller's; the count then stays at zero, so that
    /// it cannot turn into a licence to use the whole machine.
    #[inline]
    pub fn refund(&self, resource: Resource, amount: u64) {
        let used = &self.counter(resource).used;
        let outcome =
            used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(amount)));
        debug_assert!(
            outcome.is_ok_and(|before| before >= amount),
            "refund of {amount} {resource:?} never charged"
        );
    }

    /// How much is in use.
    #[inline]
    pub fn used(&self, resource: Resource) -> u64 {
        self.counter(resource).used.load(Ordering::Relaxed)
    }

    /// How much may be in use at most.
    #[inline]
    pub fn limit(&self, resource: Resource) -> u64 {
        self.counter(resource).limit
    }

    /// How much is left.
    #[inline]
    pub fn left(&self, resource: Resource) -> u64 {
        self.limit(resource).saturating_sub(self.used(resource))
    }

    #[inline]
    fn counter(&self, resource: Resource) -> &Counter {
        // In bounds: the numbers of the resources are 0..RESOURCES, and the array has that length.
        &self.counters[resource as usize]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Budget, Exhausted, RESOURCES, Resource};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn every_resource_has_its_own_number() {
        for (n, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource as usize, n);
        }
    }

    #[test]
    fn a_charge_up_to_the_limit_is_granted() {
        let budget = Budget::new([10; RESOURCES]);
        assert_eq!(budget.charge(Resource::Threads, 10), Ok(()));
        assert_eq!((budget.used(Resource::Threads), budget.left(Resource::Threads)), (10, 0));
    }

    #[test]
    fn a_charge_beyond_the_limit_takes_nothing_and_names_the_resource() {
        let budget = Budget::new([10; RESOURCES]);
        assert_eq!(budget.charge(Resource::CapSlots, 11), Err(Exhausted(Resource::CapSlots)));
        assert_eq!(budget.used(Resource::CapSlots), 0);
    }

    #[test]
    fn a_charge_that_overflows_is_refused() {
        let budget = Budget::new([u64::MAX; RESOURCES]);
        assert_eq!(budget.charge(Resource::LogBytes, u64::MAX), Ok(()));
        assert_eq!(budget.charge(Resource::LogBytes, 1), Err(Exhausted(Resource::LogBytes)));
    }

    #[test]
    fn resources_do_not_borrow_from_each_other() {
        let budget = Budget::new([0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(budget.charge(Resource::MemoryPages, 1).is_err());
        assert!(budget.charge(Resource::EndpointEntries, 4).is_ok());
        assert_eq!(budget.used(Resource::LogBytes), 0);
    }

    #[test]
    fn nothing_costs_nothing_even_when_all_is_used() {
        let budget = Budget::new([0; RESOURCES]);
        assert_eq!(budget.charge(Resource::MemoryPages, 0), Ok(()));
    }

    #[test]
    fn what_was_refunded_can_be_charged_again() {
        let budget = Budget::new([1; RESOURCES]);
        for _ in 0..3 {
            assert!(budget.charge(Resource::Threads, 1).is_ok());
            budget.refund(Resource::Threads, 1);
        }
        assert_eq!(budget.used(Resource::Threads), 0);
    }

    #[test]
    fn threads_never_exceed_the_limit_together() {
        let budget = Budget::new([50; RESOURCES]);
        let granted: usize = std::thread::scope(|scope| {
            let charge = || (0..100).filter(|_| budget.charge(Resource::Threads, 1).is_ok()).count();
            let all: std::vec::Vec<_> = (0..3).map(|_| scope.spawn(charge)).collect();
            all.into_iter().map(|thread| thread.join().expect("thread")).sum()
        });
        assert_eq!((granted, budget.used(Resource::Threads)), (50, 50));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn use_follows_the_model(limit in 0u64..100, steps in prop::collection::vec((any::<bool>(), 0u64..40), 0..200)) {
            let budget = Budget::new([limit; RESOURCES]);
            let mut used = 0;
            for (charge, amount) in steps {
                if charge {
                    let fits = used + amount <= limit;
                    prop_assert_eq!(budget.charge(Resource::MemoryPages, amount).is_ok(), fits);
                    used += if fits { amount } else { 0 };
                } else {
                    let back = amount.min(used);
                    budget.refund(Resource::MemoryPages, back);
                    used -= back;
                }
                prop_assert_eq!(budget.used(Resource::MemoryPages), used);
                prop_assert!(budget.used(Resource::MemoryPages) <= limit);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::{Budget, RESOURCES, Resource};
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn racing_charges_never_exceed_the_limit() {
        loom::model(|| {
            let budget = Arc::new(Budget::new([3; RESOURCES]));
            let other = budget.clone();
            let theirs = thread::spawn(move || u64::from(other.charge(Resource::Threads, 2).is_ok()));
            let mine = u64::from(budget.charge(Resource::Threads, 2).is_ok());
            assert!(budget.used(Resource::Threads) <= 3);
            let granted = mine + theirs.join().unwrap();
            assert_eq!(granted, 1);
            assert_eq!(budget.used(Resource::Threads), 2);
        });
    }

    #[test]
    fn a_refund_racing_a_charge_loses_nothing() {
        loom::model(|| {
            let budget = Arc::new(Budget::new([2; RESOURCES]));
            assert!(budget.charge(Resource::Threads, 1).is_ok());
            let other = budget.clone();
            let refunder = thread::spawn(move || other.refund(Resource::Threads, 1));
            let granted = u64::from(budget.charge(Resource::Threads, 2).is_ok());
            refunder.join().unwrap();
            assert_eq!(budget.used(Resource::Threads), granted * 2);
        });
    }
}
