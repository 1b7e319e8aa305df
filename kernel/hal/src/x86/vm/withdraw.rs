//! Taking away what was mapped by a lease.

use super::tables::{Pruned, Tables};
use super::{AddressSpace, Memory};
use crate::sync::Ref;
use crate::x86::mem::Frames;
use capos_abi::PAGE_SIZE;
use capos_mem::{Backing, Withdrawal};

/// What is filled with ones at a time.
const ONES: [u8; 512] = [0xff; 512];

impl AddressSpace {
    /// Takes some of what is mapped by lease number `lease` away, 2 MiB at most; the pages stay reserved. True when there was some: there
    /// may be more.
    pub fn withdraw(&self, lease: u64) -> bool {
        let inner = &mut *self.inner.lock();
        let Some(withdrawal) = inner.regions.withdrawal(|memory| memory.hangs_by(lease)) else {
            return false;
        };
        self.take_away(&mut inner.tables, withdrawal);
        true
    }

    /// The same for registers of a device that is gone: who has them mapped goes on finding what is on a bus where nobody answers, ones that
    /// take what is written (PCI Express 5.0, 2.3.2). It is memory of its own. Where there is none to be had, or where the mapping is
    /// larger than a piece, nothing is there.
    pub fn leave_ones(&self, lease: u64) -> bool {
        let inner = &mut *self.inner.lock();
        let Some(withdrawal) = inner.regions.withdrawal(|memory| memory.hangs_by(lease)) else {
            return false;
        };
        let (va, pages) = withdrawal.range();
        let ones = withdrawal.whole().and_then(|region| {
            let writable = region.backing.as_ref()?.object.writable;
            let frames = self.ones(pages)?;
            let object = Memory { frames, writable, lease: None };
            Some((region.protection, Backing { object, first: 0 }))
        });
        let Some((protection, ones)) = ones else {
            self.take_away(&mut inner.tables, withdrawal);
            return true;
        };
        // Each entry changes in one store: who writes there writes to what is gone, or to the new page.
        inner.tables.fill(va, pages, protection, &ones);
        self.flush(va, pages);
        drop(withdrawal.exchange(ones));
        true
    }

    fn take_away(&self, tables: &mut Tables, withdrawal: Withdrawal<'_, Memory>) {
        let (va, pages) = withdrawal.range();
        let mut pruned = Pruned::none();
        tables.empty(va, pages, &mut pruned);
        self.flush(va, pages);
        // Only now may tables and frames go.
        tables.release_pruned(pruned, &self.account);
        drop(withdrawal.withdraw());
    }

    fn ones(&self, pages: usize) -> Option<Ref<Frames>> {
        let frames = Frames::zeroed(pages, &self.account).ok()?;
        let mut offsets = (0..pages * PAGE_SIZE).step_by(ONES.len());
        offsets.all(|offset| frames.write(offset, &ONES).is_ok()).then_some(frames)
    }
}
