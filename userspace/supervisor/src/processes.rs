//! `Processes`: handles of services, for who may do with them whatever can be done with a process.

use crate::state::State;
use alloc::rc::Rc;
use capos_manifest::SUPERVISOR;
use rt::generated::processes::{OpenAnswer, ProcessesServer};
use rt::{CallContext, CallError, Exception, ExceptionCode, Outgoing};

/// The server.
pub struct Processes {
    state: Rc<State>,
}

impl Processes {
    /// Over everything that the supervisor knows.
    pub fn new(state: Rc<State>) -> Processes {
        Processes { state }
    }

    /// The supervisor itself, whose handle only init has.
    async fn myself(&self) -> Result<OpenAnswer, CallError> {
        let me = self.state.keeper.supervisor().await?;
        let handle = self.state.keeper.myself().await?;
        Ok(OpenAnswer {
            process: me.process,
            epoch: me.deaths.saturating_add(1),
            handle: Outgoing::from(handle),
        })
    }
}

impl ProcessesServer for Processes {
    async fn open(&self, _cx: &CallContext, service: &str) -> Result<OpenAnswer, Exception> {
        if service == SUPERVISOR {
            return self.myself().await.map_err(|_| ExceptionCode::Failed.into());
        }
        let number = self.state.find(service).ok_or(ExceptionCode::NotFound)?;
        let epoch = self.state.look(|machine| machine.view(number)).map_or(0, |view| view.epoch);
        let known = self.state.known((number, epoch)).ok_or(ExceptionCode::WrongState)?;
        Ok(OpenAnswer { process: known.process, epoch, handle: Outgoing::from(&known.handle) })
    }
}
