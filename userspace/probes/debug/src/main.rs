//! Checks the clauses of the ABI on debugging, crash records and traces, with itself as the debugged program. `--part=NAME` does one part.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod breakpoints;
mod crash;
mod debuggee;
mod ends;
mod hostile;
mod memory;
mod processors;
mod steps;
mod stops;
mod traces;

use probe::child::Program;
use probe::{Audit, Limits, Nursery, Report, number, options};
use rt::generated::{NotificationClient, ProcessDebugClient, ProcessHandleClient};
use rt::schema::process_debug::{RegistersResults, ResumeAndWaitResults, StopCause, WaitResults};
use rt::{CallError, Client, Env, EnvError, TransportError};

rt::main!(run);

/// What every part needs.
struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    seed: u64,
    rounds: u64,
}

type Part = fn(&Setup) -> Result<(), CallError>;

const PARTS: [(&str, Part); 9] = [
    ("stop", stops::all),
    ("memory", memory::all),
    ("step", steps::all),
    ("breakpoint", breakpoints::all),
    ("end", ends::all),
    ("hostile", hostile::all),
    ("smp", processors::all),
    ("crash", crash::all),
    ("trace", traces::all),
];

fn run(mut env: Env) -> i64 {
    if let Some(role) = options::text(&env, "role") {
        return debuggee::play(role, env);
    }
    let part = options::text(&env, "part").unwrap_or("");
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup, part);
            if let Err(error) = &done {
                setup.report.check("debug", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup {
        seed: number(env, "seed", 1),
        rounds: number(env, "rounds", 20),
        report: Report::new(env)?,
        nursery: Nursery::new(env)?,
        audit: Audit::new(env)?,
    })
}

fn all(setup: &Setup, part: &str) -> Result<(), CallError> {
    let wanted = || PARTS.iter().filter(|(name, _)| part.is_empty() || *name == part);
    wanted().try_for_each(|(_, part)| part(setup))?;
    // The first time was to warm up: the second must leave nothing behind.
    let before = setup.audit.counts()?;
    wanted().try_for_each(|(_, part)| part(setup))?;
    let parts = wanted().count();
    setup.report.event("debug.done", probe::Fields::new().value("parts", parts));
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// A process that is debugged.
struct Target {
    handle: ProcessHandleClient,
    debug: ProcessDebugClient,
}

impl Target {
    /// The first thread. It has one from the beginning.
    fn thread(&self) -> Result<u64, CallError> {
        self.debug.thread_blocking(0).map(|thread| thread.id)
    }

    /// Stops all of it and waits until its only thread has.
    fn halt(&self) -> Result<WaitResults, CallError> {
        self.debug.stop_blocking(0)?;
        self.debug.wait_blocking()
    }

    /// Lets a thread go on, for one instruction or not, and waits for the next that happens.
    fn go(&self, thread: u64, step: bool, rip: Option<u64>) -> Result<WaitResults, CallError> {
        let at = rip.unwrap_or(0);
        let event = self.debug.resume_and_wait_blocking(thread, step, rip.is_some(), at)?;
        let ended = event.cause == StopCause::Ended;
        let all =
            if ended { RegistersResults::default() } else { self.debug.registers_blocking(event.thread)? };
        if !ended && (all.rip, all.rsp, all.rflags) != (event.rip, event.rsp, event.rflags) {
            return Err(CallError::Transport(TransportError::BadMessage));
        }
        Ok(with_registers(&event, &all))
    }

    /// A number in its memory.
    fn number(&self, address: u64) -> Result<u64, CallError> {
        let bytes = self.debug.read_blocking(address, 8)?;
        Ok(bytes.first_chunk::<8>().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes)))
    }
}

/// What a wait would have told.
fn with_registers(event: &ResumeAndWaitResults, all: &RegistersResults) -> WaitResults {
    WaitResults {
        cause: event.cause,
        vector: event.vector,
        breakpoint: event.breakpoint,
        thread: event.thread,
        error_code: event.error_code,
        address: event.address,
        rip: all.rip,
        rsp: all.rsp,
        rflags: all.rflags,
        fs_base: all.fs_base,
        rax: all.rax,
        rbx: all.rbx,
        rcx: all.rcx,
        rdx: all.rdx,
        rsi: all.rsi,
        rdi: all.rdi,
        rbp: all.rbp,
        r8: all.r8,
        r9: all.r9,
        r10: all.r10,
        r11: all.r11,
        r12: all.r12,
        r13: all.r13,
        r14: all.r14,
        r15: all.r15,
    }
}

impl Setup {
    fn program(&self) -> Result<Program, CallError> {
        self.nursery.program("probe-debug")
    }

    /// A process that does what `role` says, with a debugger before its first instruction.
    fn target(&self, role: &str) -> Result<Target, CallError> {
        self.target_with(role, None)
    }

    /// The same, with a notification to wait for.
    fn target_with(&self, role: &str, event: Option<NotificationClient>) -> Result<Target, CallError> {
        let program = self.program()?;
        let mut child = self.nursery.child(&program, &Limits::threads(4), "debuggee")?.arg(role);
        if let Some(event) = event {
            child = child.give("event", NotificationClient::ID, event)?;
        }
        let handle = child.start()?;
        let debug = handle.debug_blocking()?;
        Ok(Target { handle, debug })
    }

    /// Verifies why something stopped.
    fn stopped(&self, name: &str, event: &WaitResults, cause: StopCause) {
        self.report.equal(name, event.cause, cause);
    }
}
