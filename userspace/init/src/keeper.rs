//! `Keeper`: what init does for the supervisor. Nobody else can call it.

use crate::starter;
use crate::state::{Entry, PAGES, State};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use kit::service::Handler;
use rt::generated::PowerClient;
use rt::generated::keeper::{InstanceAnswer, KeeperServer, serve_keeper};
use rt::schema::keeper::{StartResults, SupervisorResults};
use rt::{CallContext, CallError, Exception, ExceptionCode, Lent, Outgoing, Request, spawn};

/// Most bytes of a page of notes.
const NOTE: usize = 3000;

/// The server.
pub struct Keeper {
    state: Rc<State>,
}

impl Keeper {
    /// Over everything that init holds.
    pub fn new(state: Rc<State>) -> Self {
        Keeper { state }
    }

    fn entry(&self, service: u32) -> Result<&Entry, Exception> {
        let index = usize::try_from(service).ok();
        index.and_then(|index| self.state.entry(index)).ok_or(ExceptionCode::NotFound.into())
    }
}

impl Handler for Keeper {
    async fn call(self: Rc<Self>, request: Request) {
        let supervisor = &self.state.supervisor;
        if request.context().badge() != supervisor.badge() {
            return;
        }
        // In a task of its own: a process that was started for a supervisor that has died meanwhile must be found by the next.
        supervisor.in_hand.set(supervisor.in_hand.get() + 1);
        spawn(async move {
            serve_keeper(&*self, request).await;
            let supervisor = &self.state.supervisor;
            supervisor.in_hand.set(supervisor.in_hand.get() - 1);
            supervisor.settled.notify();
        });
    }

    fn gone(&self, _badge: u64) {}
}

fn failed(why: &str) -> Exception {
    Exception::new(ExceptionCode::Failed, why)
}

fn refused(error: CallError) -> Exception {
    failed(&format!("{error}"))
}

impl KeeperServer for Keeper {
    async fn start(&self, _cx: &CallContext, service: u32, program: &str) -> Result<StartResults, Exception> {
        let entry = self.entry(service)?;
        let program = if program.is_empty() { entry.program.borrow().clone() } else { String::from(program) };
        let instance = starter::start(&self.state, service as usize, entry, program).await;
        let instance = instance.map_err(|why| failed(&why))?;
        let results = StartResults { epoch: instance.epoch, process: instance.process };
        entry.instances.borrow_mut().add(instance);
        Ok(results)
    }

    async fn instance(
        &self,
        _cx: &CallContext,
        service: u32,
        above: u32,
    ) -> Result<InstanceAnswer, Exception> {
        let found = self.entry(service)?.instances.borrow().above(above).ok_or(ExceptionCode::NotFound)?;
        let handle = Outgoing::from(&*found.handle);
        Ok(InstanceAnswer { epoch: found.epoch, process: found.process, handle, program: found.program })
    }

    async fn control(&self, _cx: &CallContext, service: u32, epoch: u32) -> Result<Outgoing, Exception> {
        let found = self.entry(service)?.instances.borrow().find(epoch);
        let control = found.and_then(|found| found.control).ok_or(ExceptionCode::NotFound)?;
        Ok(Outgoing::from(&*control))
    }

    async fn bury(&self, _cx: &CallContext, service: u32, epoch: u32) -> Result<(), Exception> {
        let entry = self.entry(service)?;
        let found = entry.instances.borrow().find(epoch).ok_or(ExceptionCode::NotFound)?;
        if !found.handle.info().await.map_err(refused)?.ended {
            return Err(ExceptionCode::WrongState.into());
        }
        entry.instances.borrow_mut().bury(epoch);
        Ok(())
    }

    async fn settle(&self, _cx: &CallContext, service: u32, epoch: u32) -> Result<(), Exception> {
        let entry = self.entry(service)?;
        let found = entry.instances.borrow().find(epoch).ok_or(ExceptionCode::NotFound)?;
        *entry.program.borrow_mut() = found.program;
        Ok(())
    }

    async fn facet(&self, _cx: &CallContext, client: u32, name: &str) -> Result<Outgoing, Exception> {
        let entry = self.entry(client)?;
        let grant =
            entry.service.caps.iter().find(|grant| grant.name == name).ok_or(ExceptionCode::NotFound)?;
        let number = self.state.next_facet();
        starter::facet(&self.state, client as usize, grant, number)
            .await
            .map_err(|why| failed(&why))?
            .ok_or(ExceptionCode::NotFound.into())
    }

    async fn close(&self, _cx: &CallContext, service: u32) -> Result<(), Exception> {
        self.entry(service)?.endpoint.borrow_mut().take();
        Ok(())
    }

    async fn note(&self, _cx: &CallContext, service: u32, page: u8, data: &[u8]) -> Result<(), Exception> {
        let mut notes = self.entry(service)?.notes.borrow_mut();
        let page = notes.get_mut(usize::from(page)).ok_or(ExceptionCode::InvalidArgument)?;
        if data.len() > NOTE {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        *page = Vec::from(data);
        Ok(())
    }

    async fn noted(&self, _cx: &CallContext, service: u32, page: u8) -> Result<Vec<u8>, Exception> {
        debug_assert!(PAGES <= usize::from(u8::MAX));
        let notes = self.entry(service)?.notes.borrow();
        notes.get(usize::from(page)).cloned().ok_or(ExceptionCode::InvalidArgument.into())
    }

    async fn supervisor(&self, _cx: &CallContext) -> Result<SupervisorResults, Exception> {
        let supervisor = &self.state.supervisor;
        let (process, deaths) = (supervisor.process.get(), supervisor.deaths.get());
        Ok(SupervisorResults { process, deaths, since_ns: supervisor.since_ns.get() })
    }

    async fn kill(&self, _cx: &CallContext) -> Result<(), Exception> {
        let handle = self.state.supervisor.handle.borrow().clone().ok_or(ExceptionCode::WrongState)?;
        handle.kill().await.map_err(refused)
    }

    async fn myself(&self, _cx: &CallContext) -> Result<Outgoing, Exception> {
        let handle = self.state.supervisor.handle.borrow().clone().ok_or(ExceptionCode::WrongState)?;
        Ok(Outgoing::from(&*handle))
    }

    async fn reboot(&self, _cx: &CallContext) -> Result<(), Exception> {
        let (_, power) = self.state.kernel.object("power").ok_or(ExceptionCode::Unsupported)?;
        Lent::<PowerClient>::of(power).reboot().await.map_err(refused)
    }
}
