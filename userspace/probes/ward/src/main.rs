//! Makes services ill, replaces them, kills them and their supervisor, and sees what becomes of it: as a client of theirs, as the person who
//! looks after them, and by the kernel's own list of processes.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod crashes;
mod groups;
mod health;
mod names;
mod policies;
mod replacement;
mod supervisor;

use alloc::rc::Rc;
use alloc::string::String;
use core::fmt::Debug;
use probe::{Report, options};
use rt::generated::services::ListReply;
use rt::generated::{ByteStreamClient, NamesClient, ServicesClient, SystemInfoClient, TimerClient};
use rt::schema::services::ServiceState;
use rt::{CallError, Env, EnvError, block_on};

rt::main!(run);

/// Longest wait for something that should come to be; far beyond anything that a manifest of a case says.
const PATIENCE_NS: u64 = 20_000_000_000;

const MS: u64 = 1_000_000;

/// What the ward holds.
struct Ward {
    report: Report,
    services: ServicesClient,
    names: Rc<NamesClient>,
    system: SystemInfoClient,
    timer: TimerClient,
    /// The export of the service `patient`, if the case has one.
    patient: Option<Rc<ByteStreamClient>>,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(ward) => {
            let case = options::text(&env, "case").unwrap_or("");
            let done = block_on(observe(&ward, case));
            if let Err(error) = &done {
                ward.report.check(case, false, error);
            }
            ward.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Ward, EnvError> {
    Ok(Ward {
        report: Report::new(env)?,
        services: env.client("services")?,
        names: Rc::new(env.client("names")?),
        system: env.client("system")?,
        timer: env.client("timer")?,
        patient: env.client("patient").ok().map(Rc::new),
    })
}

async fn observe(ward: &Ward, case: &str) -> Result<(), CallError> {
    match case {
        "policies" => policies::all(ward).await,
        "limits" => policies::limits(ward).await,
        "group" => groups::escalation(ward).await,
        "order" => groups::order(ward).await,
        "health" => health::all(ward).await,
        "supervisor" => supervisor::all(ward).await,
        "replace" => replacement::all(ward).await,
        "epoch" => names::all(ward).await,
        "crash" => crashes::all(ward).await,
        _ => Err(CallError::MissingCap),
    }
}

impl Ward {
    /// Whether something is as it has to be.
    fn equal<T: PartialEq + Debug>(&self, name: &str, found: T, wanted: T) {
        self.report.equal(name, found, wanted);
    }

    /// The line of a service.
    async fn service(&self, name: &str) -> Result<ListReply, CallError> {
        let mut cursor = 0;
        loop {
            // The supervisor may be between two lives.
            match self.services.list(cursor).await {
                Ok(service) if service.name == name => return Ok(service),
                Ok(service) => cursor = service.next,
                Err(error) if error.is_disconnect() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until a service is as wanted; its line then, or as it was when patience ended.
    async fn until(&self, name: &str, wanted: impl Fn(&ListReply) -> bool) -> Result<ListReply, CallError> {
        let begin = self.timer.now().await?;
        loop {
            let service = self.service(name).await?;
            if wanted(&service) || self.timer.now().await? - begin > PATIENCE_NS {
                return Ok(service);
            }
            self.pause(2).await?;
        }
    }

    /// Waits until instance number `epoch` of a service runs, and checks that it is this one.
    async fn runs(&self, what: &str, name: &str, epoch: u32) -> Result<ListReply, CallError> {
        let up = |it: &ListReply| it.state == ServiceState::Running && it.epoch >= epoch;
        let service = self.until(name, up).await?;
        self.equal(what, (service.state, service.epoch), (ServiceState::Running, epoch));
        self.equal(
            "the kernel knows its process by its name",
            self.kernel_name(service.process),
            String::from(name),
        );
        Ok(service)
    }

    /// Waits until a service is in a state, and checks it.
    async fn is(&self, what: &str, name: &str, state: ServiceState) -> Result<ListReply, CallError> {
        let service = self.until(name, |it| it.state == state).await?;
        self.equal(what, service.state, state);
        Ok(service)
    }

    /// What the kernel calls a process; empty when it has none of that number.
    fn kernel_name(&self, process: u64) -> String {
        match self.system.process_blocking(process) {
            Ok(found) if found.id == process => found.name,
            _ => String::new(),
        }
    }

    async fn pause(&self, ms: u64) -> Result<(), CallError> {
        let now = self.timer.now().await?;
        self.timer.sleep_until(now + ms * MS).await
    }

    /// Tells a patient what to suffer from. It may die over the answer.
    async fn suffer(&self, patient: &ByteStreamClient, what: &str) {
        let _ = patient.write(what.as_bytes()).await;
    }

    /// What the manifest gives us under a name, found anew.
    async fn find(&self, name: &str) -> Result<ByteStreamClient, CallError> {
        self.names.resolve(0, name).await.map(|found| ByteStreamClient::from(found.facet))
    }

    fn patient(&self) -> Result<Rc<ByteStreamClient>, CallError> {
        self.patient.clone().ok_or(CallError::MissingCap)
    }
}

/// The numbers that a patient answers: its epoch, what it was given, and the epoch of that.
fn answer(bytes: &[u8]) -> [u32; 3] {
    let text = core::str::from_utf8(bytes).unwrap_or("");
    let mut numbers = text.split(' ').map(|word| word.parse().unwrap_or(u32::MAX));
    core::array::from_fn(|_| numbers.next().unwrap_or(u32::MAX))
}
