//! User contexts: plain memory. A test asks who would be running.

use super::cpu;
use super::vm::AddressSpace;
use crate::sync::{OutOfMemory, Ref};
use crate::types::{Place, Registers, Start, flags};
use capos_abi::layout::USER_MAX;
use std::sync::{Mutex, MutexGuard};

/// What a debugged or traced thread has: addresses of breakpoints, DR7, whether it is traced.
pub type Extras = ([u64; 4], u64, bool);

/// Saved registers of one thread.
pub struct UserContext {
    start: Start,
    _space: Ref<AddressSpace>,
    registers: Mutex<Registers>,
    extras: Mutex<Extras>,
    repeated: Mutex<Option<[u64; 3]>>,
}

impl UserContext {
    /// A context that will begin at `start` in `space`.
    pub fn new(start: Start, space: &Ref<AddressSpace>) -> Result<Ref<UserContext>, OutOfMemory> {
        let [rdi, rsi, rdx] = start.args;
        let registers = Registers {
            rip: start.entry,
            rsp: start.stack,
            rflags: flags::ALWAYS,
            fs_base: start.fs_base,
            rdi,
            rsi,
            rdx,
            ..Registers::default()
        };
        Ref::try_new(UserContext {
            start,
            _space: space.clone(),
            registers: Mutex::new(registers),
            extras: Mutex::new(Extras::default()),
            repeated: Mutex::new(None),
        })
    }

    fn locked(&self) -> MutexGuard<'_, Registers> {
        self.registers.lock().expect("no test panics inside")
    }

    /// What the system call answers.
    pub fn set_return(&self, value: u64) {
        self.locked().rax = value;
    }

    /// The thread makes its system call anew when it runs again: a test sees it with [`UserContext::take_repeated`].
    pub fn repeat_syscall(&self, first: u64, second: u64, number: u64) {
        *self.repeated.lock().expect("no test panics inside") = Some([first, second, number]);
    }

    /// The system call that the thread would make anew.
    pub fn take_repeated(&self) -> Option<[u64; 3]> {
        self.repeated.lock().expect("no test panics inside").take()
    }

    /// Sets FS base.
    pub fn set_fs_base(&self, base: u64) {
        self.locked().fs_base = base;
    }

    /// The registers.
    pub fn registers(&self) -> Registers {
        *self.locked()
    }

    /// Sets all registers of a thread that does not run; false when the instruction pointer is no user address.
    pub fn set_registers(&self, new: &Registers) -> bool {
        let possible = new.rip < USER_MAX && new.fs_base < USER_MAX;
        if possible {
            *self.locked() = Registers { rflags: new.rflags & flags::USER | flags::ALWAYS, ..*new };
        }
        possible
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        let Registers { rip, rsp, rflags, .. } = *self.locked();
        Place { rip, rsp, rflags }
    }

    /// The same as [`UserContext::redirect`], at once or not at all.
    pub fn try_redirect(&self, rip: Option<u64>, set: u64, clear: u64) -> Option<bool> {
        Some(self.redirect(rip, set, clear))
    }

    /// Sets the instruction pointer and changes flags of the same.
    pub fn redirect(&self, rip: Option<u64>, set: u64, clear: u64) -> bool {
        if rip.is_some_and(|rip| rip >= USER_MAX) {
            return false;
        }
        let mut registers = self.locked();
        registers.rip = rip.unwrap_or(registers.rip);
        registers.rflags = (registers.rflags & !(clear & flags::USER)) | set & flags::USER;
        true
    }

    /// Gives the thread breakpoints.
    pub fn set_breakpoints(&self, addresses: [u64; 4], control: u64) {
        // Others on their way here get a chance to overtake.
        std::thread::yield_now();
        let mut extras = self.extras.lock().expect("no test panics inside");
        (extras.0, extras.1) = (addresses, control);
    }

    /// Has the thread's system calls go to the handler for traced threads, or not.
    pub fn set_traced(&self, traced: bool) {
        self.extras.lock().expect("no test panics inside").2 = traced;
    }

    /// What it has beside its registers, for tests.
    pub fn extras(&self) -> Extras {
        *self.extras.lock().expect("no test panics inside")
    }

    /// How the thread began, and its FS base now, for tests.
    pub fn start(&self) -> (Start, u64) {
        (self.start, self.locked().fs_base)
    }
}

type Loaded = Option<Ref<UserContext>>;
static LOADED: Mutex<[Loaded; cpu::MAX_CPUS]> = Mutex::new([const { None }; cpu::MAX_CPUS]);

pub(super) fn reset() {
    for cpu in 0..cpu::MAX_CPUS {
        load(cpu, None);
    }
}

fn load(cpu: usize, next: Loaded) {
    // The old contents are dropped after the lock: dropping may run kernel code.
    let old = core::mem::replace(&mut LOADED.lock().expect("no test panics inside")[cpu], next);
    drop(old);
}

/// What this CPU resumes when the handler returns.
pub fn run(context: &Ref<UserContext>) {
    load(cpu::id(), Some(context.clone()));
}

/// Nothing to run on this CPU.
pub fn run_idle() {
    load(cpu::id(), None);
}

/// Whether `cpu` would resume `context`.
pub fn is_running(cpu: usize, context: &Ref<UserContext>) -> bool {
    LOADED.lock().expect("no test panics inside")[cpu]
        .as_ref()
        .is_some_and(|loaded| Ref::ptr_eq(loaded, context))
}

/// Whether `cpu` would idle.
pub fn is_idle(cpu: usize) -> bool {
    LOADED.lock().expect("no test panics inside")[cpu].is_none()
}
