//! `Services`: what init started, for whoever the manifest lets see it.

use crate::state::{Phase, State};
use crate::supervise;
use alloc::rc::Rc;
use capos_restart::Outcome;
use kit::service::Handler;
use rt::generated::services::{ListReply, ServicesServer, serve_services};
use rt::schema::services::ServiceState;
use rt::{CallContext, Exception, ExceptionCode, Request};

/// The server.
pub struct Server {
    state: Rc<State>,
}

impl Server {
    /// Over everything that init knows.
    pub fn new(state: Rc<State>) -> Self {
        Server { state }
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        serve_services(&*self, request).await;
    }

    fn gone(&self, _badge: u64) {}
}

impl ServicesServer for Server {
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        let entry = self.state.entry(cursor as usize).ok_or(ExceptionCode::NotFound)?;
        let (state, process, exit_code) = match &*entry.phase.borrow() {
            Phase::Waiting => (ServiceState::Waiting, 0, 0),
            Phase::Running(instance) => (ServiceState::Running, instance.pid, 0),
            Phase::Ended(end) if end.outcome() == Outcome::Killed => (ServiceState::Killed, 0, 0),
            Phase::Ended(end) => (ServiceState::Ended, 0, end.code),
            Phase::Failed(code) => (ServiceState::Failed, 0, *code),
        };
        Ok(ListReply {
            next: cursor.saturating_add(1),
            state,
            process,
            exit_code,
            name: entry.service.name.clone(),
        })
    }

    async fn kill(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        let (_, entry) = self.state.find(name).ok_or(ExceptionCode::NotFound)?;
        let handle = match &*entry.phase.borrow() {
            Phase::Running(instance) => Rc::clone(&instance.handle),
            _ => return Err(Exception::new(ExceptionCode::WrongState, "it is not running")),
        };
        handle.kill().await.map_err(|error| Exception::new(ExceptionCode::Failed, &alloc::format!("{error}")))
    }

    async fn start(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        let (index, entry) = self.state.find(name).ok_or(ExceptionCode::NotFound)?;
        if matches!(*entry.phase.borrow(), Phase::Running(_)) {
            return Err(Exception::new(ExceptionCode::WrongState, "it is running"));
        }
        entry.restarts.borrow_mut().forgive();
        match supervise::launch(&self.state, index).await {
            true => Ok(()),
            false => Err(Exception::new(ExceptionCode::Failed, "it could not be started; the log says why")),
        }
    }
}
