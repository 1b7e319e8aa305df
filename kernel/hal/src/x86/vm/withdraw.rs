//! Taking away what was mapped by a lease.

use super::AddressSpace;
use super::tables::Pruned;

impl AddressSpace {
    /// Takes some of what is mapped by lease number `lease` away, 2 MiB at most; the pages stay reserved. True when there was some: there
    /// may be more.
    pub fn withdraw(&self, lease: u64) -> bool {
        let inner = &mut *self.inner.lock();
        let by_lease =
            |memory: &super::Memory| memory.lease.as_ref().is_some_and(|held| held.number() == lease);
        let Some(withdrawal) = inner.regions.withdrawal(by_lease) else { return false };
        let (va, pages) = withdrawal.range();
        let mut pruned = Pruned::none();
        inner.tables.empty(va, pages, &mut pruned);
        self.flush(va, pages);
        // Only now may tables and frames go.
        inner.tables.release_pruned(pruned, &self.account);
        drop(withdrawal.withdraw());
        true
    }
}
