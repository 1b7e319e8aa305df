//! `Services`: what the manifest says and what became of it, for whoever looks after the machine. Everybody else has `Names`.

use crate::names::Names;
use crate::processes::Processes;
use crate::state::{Known, State};
use crate::watch::describe;
use crate::{crashes, health, last};
use alloc::rc::Rc;
use alloc::string::String;
use capos_manifest::SUPERVISOR;
use capos_restart::{Ending, Refusal, State as Where, View};
use kit::service::{Handler, export_of};
use rt::generated::names::serve_names;
use rt::generated::processes::serve_processes;
use rt::generated::services::{CrashReply, ListReply, ServicesServer, serve_services};
use rt::schema::services::{ServiceHealth, ServiceState, TraceResults};
use rt::{CallContext, Cap, Exception, ExceptionCode, Request, TransportError, spawn};

/// Numbers of the exports `services` and `processes`: the order is that of `SUPERVISOR_EXPORTS`.
const SERVICES: u32 = 0;
const PROCESSES: u32 = 2;

/// The server of all exports.
pub struct Server {
    state: Rc<State>,
    names: Names,
    processes: Processes,
}

impl Server {
    /// Over everything that the supervisor knows.
    pub fn new(state: Rc<State>) -> Self {
        let (names, processes) = (Names::new(Rc::clone(&state)), Processes::new(Rc::clone(&state)));
        Server { names, processes, state }
    }

    fn find(&self, name: &str) -> Result<usize, Exception> {
        self.state.find(name).ok_or(ExceptionCode::NotFound.into())
    }

    fn view(&self, service: usize) -> Result<View, Exception> {
        self.state.look(|machine| machine.view(service)).ok_or(ExceptionCode::NotFound.into())
    }

    /// The process of a service that runs.
    fn running(&self, name: &str) -> Result<Rc<Known>, Exception> {
        let number = self.find(name)?;
        let epoch = self.view(number)?.epoch;
        self.state.known((number, epoch)).ok_or_else(|| refused(Refusal::NotRunning))
    }

    /// Waits until a service is as wanted.
    async fn until(&self, service: usize, wanted: impl Fn(&View) -> bool) -> Result<View, Exception> {
        loop {
            let changed = self.state.changed.wait();
            let view = self.view(service)?;
            if wanted(&view) {
                return Ok(view);
            }
            changed.await;
        }
    }

    /// The supervisor's own line.
    async fn myself(&self, next: u32) -> Result<ListReply, Exception> {
        let me = self.state.keeper.supervisor().await.map_err(|_| ExceptionCode::Failed)?;
        Ok(ListReply {
            next,
            state: ServiceState::Running,
            process: me.process,
            name: String::from(SUPERVISOR),
            epoch: me.deaths.saturating_add(1),
            restarts: me.deaths,
            uptime_ns: self.state.now().saturating_sub(me.since_ns),
            ..ListReply::default()
        })
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        match export_of(request.context().badge()) {
            SERVICES => serve_services(&*self, request).await,
            PROCESSES => serve_processes(&self.processes, request).await,
            _ => serve_names(&self.names, request).await,
        }
    }

    fn gone(&self, _badge: u64) {}
}

fn refused(refusal: Refusal) -> Exception {
    let text = match refusal {
        Refusal::Unknown => return ExceptionCode::NotFound.into(),
        Refusal::NotRunning => "it is not running",
        Refusal::Running => "it is running",
        Refusal::Replacing => "it is being replaced already",
    };
    Exception::new(ExceptionCode::WrongState, text)
}

/// What somebody else answered, as our own answer.
fn passed_on(error: rt::CallError) -> Exception {
    match error {
        rt::CallError::Exception(exception) => exception,
        other => Exception::new(ExceptionCode::Failed, &alloc::format!("{other}")),
    }
}

fn state_of(view: &View) -> ServiceState {
    match view.state {
        Where::Waiting => ServiceState::Waiting,
        Where::Starting => ServiceState::Starting,
        Where::Running => ServiceState::Running,
        Where::Ended if view.last == Some(Ending::Killed) => ServiceState::Killed,
        Where::Ended => ServiceState::Ended,
        Where::GivenUp => ServiceState::Failed,
    }
}

impl ServicesServer for Server {
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        let (number, next) = (cursor as usize, cursor.saturating_add(1));
        if number == self.state.services.len() {
            return self.myself(next).await;
        }
        let view = self.view(number)?;
        let known = self.state.known((number, view.epoch));
        let up = matches!(view.state, Where::Starting | Where::Running);
        let waits = match &known {
            Some(known) => health::still_waits(&self.state, known).await,
            None => false,
        };
        Ok(ListReply {
            next,
            state: state_of(&view),
            process: known.map_or(0, |known| known.process),
            exit_code: view.last.map_or(0, Ending::code),
            name: String::from(self.state.name(number)),
            epoch: view.epoch,
            restarts: view.restarts,
            health: match view.late {
                None => ServiceHealth::Unasked,
                Some(false) if waits => ServiceHealth::Waits,
                Some(false) => ServiceHealth::Well,
                Some(true) => ServiceHealth::Late,
            },
            uptime_ns: if up { self.state.now().saturating_sub(view.since_ns) } else { 0 },
            last_end: view.last.map(describe).unwrap_or_default(),
        })
    }

    async fn kill(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        if name == SUPERVISOR {
            // The answer is on its way before this is.
            let state = Rc::clone(&self.state);
            spawn(async move {
                let _ = state.keeper.kill().await;
            });
            return Ok(());
        }
        let number = self.find(name)?;
        let epoch = self.view(number)?.epoch;
        self.state.event(|machine, _| machine.ask_kill(number)).map_err(refused)?;
        self.until(number, |view| view.epoch != epoch).await.map(drop)
    }

    async fn start(&self, _cx: &CallContext, name: &str) -> Result<(), Exception> {
        let number = self.find(name)?;
        self.state.event(|machine, _| machine.ask_start(number)).map_err(refused)?;
        let view = self.until(number, |view| !view.launching).await?;
        match view.last {
            Some(Ending::NotStarted) if view.epoch == 0 => {
                Err(Exception::new(ExceptionCode::Failed, "it could not be started; the log says why"))
            }
            _ => Ok(()),
        }
    }

    async fn replace(&self, _cx: &CallContext, name: &str, program: &str) -> Result<u32, Exception> {
        let number = self.find(name)?;
        if program.is_empty() {
            return Err(Exception::new(ExceptionCode::InvalidArgument, "which program?"));
        }
        self.state.event(|machine, _| machine.ask_replace(number)).map_err(refused)?;
        self.state.replaced.borrow_mut().remove(&number);
        self.state.wanted.borrow_mut().insert(number, String::from(program));
        let outcome = loop {
            let changed = self.state.changed.wait();
            if let Some(outcome) = self.state.replaced.borrow_mut().remove(&number) {
                break outcome;
            }
            changed.await;
        };
        outcome.ok_or_else(|| {
            Exception::new(
                ExceptionCode::Failed,
                "it did not come to serve, and nothing has changed; the log says why",
            )
        })
    }

    async fn grant(
        &self,
        _cx: &CallContext,
        capability: Cap,
        service: &str,
        name: &str,
    ) -> Result<(), Exception> {
        let number = self.find(service)?;
        let epoch = self.view(number)?.epoch;
        let result = health::give(&self.state, (number, epoch), capability, 0, name).await;
        result.map_err(|error| match error {
            rt::CallError::Transport(TransportError::InvalidCap) => {
                Exception::new(ExceptionCode::WrongState, "it does not speak with its supervisor")
            }
            rt::CallError::Transport(TransportError::Disconnected) => refused(Refusal::NotRunning),
            other => passed_on(other),
        })
    }

    async fn crash(&self, _cx: &CallContext, index: u32, service: &str) -> Result<CrashReply, Exception> {
        let number = self.find(service)?;
        let crash = crashes::kept(&self.state, number, index).await.ok_or(ExceptionCode::NotFound)?;
        Ok(CrashReply {
            epoch: crash.last.epoch,
            process: crash.last.process,
            time_ns: crash.time_ns,
            program: crash.program.clone(),
            record: crash.encode(),
        })
    }

    async fn trace(
        &self,
        _cx: &CallContext,
        cursor: u64,
        service: &str,
        ended: bool,
    ) -> Result<TraceResults, Exception> {
        let number = self.find(service)?;
        let epoch = self.view(number)?.epoch;
        let running = self.state.known((number, epoch)).filter(|_| !ended);
        match running {
            Some(known) => last::now(epoch, &known, cursor).await.map_err(passed_on),
            None => last::before(&self.state, number, cursor).await,
        }
    }

    async fn set_trace(&self, _cx: &CallContext, on: bool, service: &str) -> Result<(), Exception> {
        // Given up again at once: what is traced stays so.
        let debug = self.running(service)?.handle.debug().await.map_err(passed_on)?;
        debug.set_trace(on).await.map_err(passed_on)
    }
}
