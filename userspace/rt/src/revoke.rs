//! Taking back what was given away.

use crate::cap::Cap;
use crate::ipc::{CallError, Finished};
use crate::op::Operation;
use crate::thread;
use capos_abi::{Cqe, Op, Sqe, TransportError};

/// The submission takes no memory of the arena, but every operation has some.
const LEAST: u32 = 8;

impl Cap {
    /// Takes away whatever was derived from this capability: copies and facets, wherever they are, and what was made from those. Calls that
    /// go through them end with [`TransportError::Revoked`]. The capability itself stays. Done when all is gone.
    ///
    /// # Errors
    /// [`CallError::Transport`] when the capability is gone itself, [`CallError::ArenaFull`].
    pub async fn revoke(&self) -> Result<(), CallError> {
        finish(self.start_revocation()?.finish().await)
    }

    /// The same without an executor.
    ///
    /// # Errors
    /// As [`Cap::revoke`].
    pub fn revoke_blocking(&self) -> Result<(), CallError> {
        finish(self.start_revocation()?.finish_blocking())
    }

    fn start_revocation(&self) -> Result<Operation, CallError> {
        let thread = thread::current();
        let run = thread.take_arena(LEAST).ok_or(CallError::ArenaFull)?;
        let sqe = Sqe { op: Op::Revoke as u8, cap: self.id().raw(), ..Sqe::default() };
        Ok(Operation::submit(thread, &sqe, run))
    }
}

fn finish((cqe, finished): (Cqe, Finished)) -> Result<(), CallError> {
    thread::current().free_arena(finished.run);
    TransportError::from_code(cqe.result).map_or(Ok(()), |error| Err(error.into()))
}
