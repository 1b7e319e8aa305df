//! User contexts: plain memory. A test asks who would be running.

use super::cpu;
use super::vm::AddressSpace;
use crate::sync::{OutOfMemory, Ref};
use crate::types::{Registers, Start};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Saved registers of one thread.
pub struct UserContext {
    start: Start,
    _space: Ref<AddressSpace>,
    result: AtomicU64,
    fs_base: AtomicU64,
    repeated: Mutex<Option<[u64; 3]>>,
}

impl UserContext {
    /// A context that will begin at `start` in `space`.
    pub fn new(start: Start, space: &Ref<AddressSpace>) -> Result<Ref<UserContext>, OutOfMemory> {
        let fs_base = AtomicU64::new(start.fs_base);
        Ref::try_new(UserContext {
            start,
            _space: space.clone(),
            result: AtomicU64::new(0),
            fs_base,
            repeated: Mutex::new(None),
        })
    }

    /// What the system call answers.
    pub fn set_return(&self, value: u64) {
        self.result.store(value, SeqCst);
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
        self.fs_base.store(base, SeqCst);
    }

    /// The registers.
    pub fn registers(&self) -> Registers {
        Registers {
            rip: self.start.entry,
            rsp: self.start.stack,
            rflags: 0x202,
            fs_base: self.fs_base.load(SeqCst),
            rax: self.result.load(SeqCst),
            ..Registers::default()
        }
    }

    /// How the thread began, and its FS base now, for tests.
    pub fn start(&self) -> (Start, u64) {
        (self.start, self.fs_base.load(SeqCst))
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
