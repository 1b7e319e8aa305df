//! That nothing comes back: a commit that failed half-way, or one that a mount passed over.

use super::Volume;
use crate::disk::{Disk, DiskError, Write};
use crate::error::StoreError;
use crate::superblock::Superblock;
use alloc::vec::Vec;

impl<D: Disk> Volume<D> {
    /// Has the last commit count from now on, whatever is spoiled later. What was changed since is as before.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        self.settle_last().await
    }

    /// The same, if nobody tried it since that commit.
    pub(super) async fn settle_once(&self) -> Result<(), StoreError> {
        let (tried, last) = {
            let state = self.state.borrow();
            (state.tried, state.durable.commit)
        };
        match tried == last || self.is_settled() {
            true => Ok(()),
            false => self.settle_last().await,
        }
    }

    /// Has the last commit durable, nothing beside its superblock any more that would have to be there, and all its nodes at both of their places.
    pub(super) async fn settle_last(&self) -> Result<(), StoreError> {
        self.make_durable().await?;
        if self.is_settled() {
            return Ok(());
        }
        let commit = self.state.borrow().durable.commit;
        self.state.borrow_mut().tried = commit;
        let settled = self.write_twins().await;
        let last = Superblock { beside: Vec::new(), settled, ..self.state.borrow().durable.clone() };
        let slot = self.slots().first().copied().filter(|_| last != self.state.borrow().durable);
        let Some(first) = slot else { return Ok(()) };
        let page = last.encode();
        let write = Write { first, pieces: Vec::from([page.0.as_slice()]) };
        // It is durable without, and a read-only disk stays as it is.
        if self.disk.write_durable(&[write]).await.is_ok() {
            let mut state = self.state.borrow_mut();
            // The next commit takes the place of the superblock with the list.
            (state.durable, state.slot) = (last, first);
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        let state = self.state.borrow();
        let Superblock { beside, settled, commit, .. } = &state.durable;
        beside.is_empty() && settled == commit && state.spoiled.is_empty()
    }

    /// Has the last commit durable, and everything else that was written. A read-only disk has what it will ever have.
    async fn make_durable(&self) -> Result<(), StoreError> {
        if !self.state.borrow().is_loose {
            return Ok(());
        }
        match self.disk.flush().await {
            Ok(()) => self.state.borrow_mut().is_loose = false,
            Err(DiskError::ReadOnly) => {}
            Err(error) => return Err(StoreError::Disk { block: 0, error }),
        }
        Ok(())
    }

    /// Before anything is written over that the commit before the last one needed: the last one must be durable, which a mount cannot
    /// know of what it found; and where there is a superblock that must not count, the last commit's is written.
    pub(super) async fn make_sure(&self) -> Result<(), StoreError> {
        let (is_sure, stale) = {
            let state = self.state.borrow();
            (state.is_sure, state.stale.clone())
        };
        if is_sure {
            return Ok(());
        }
        if stale.is_empty() {
            self.make_durable().await?;
        } else {
            // It is complete, since there was one behind it.
            let last = Superblock { beside: Vec::new(), ..self.state.borrow().durable.clone() }.encode();
            let write = |first: &u64| Write { first: *first, pieces: Vec::from([last.0.as_slice()]) };
            let writes: Vec<Write<'_>> = stale.iter().map(write).collect();
            self.disk.write_durable(&writes).await.map_err(super::commit::failed)?;
        }
        let mut state = self.state.borrow_mut();
        (state.is_loose, state.is_sure) = (false, true);
        state.stale.clear();
        Ok(())
    }
}
