//! Host tests of the kernel on the fake machine. A test plays user programs: it writes into their rings and makes system calls.

mod abuse;
mod accounts;
mod apart;
mod audit;
mod authority;
mod beside;
mod bindings;
mod clockwork;
mod debug;
mod debug_races;
mod devices;
mod direct;
mod direct_events;
mod direct_faults;
mod entropy;
mod every;
mod inspector;
mod ipc;
mod leases;
mod loans;
mod long;
mod memory;
mod notification;
mod parking;
mod platform;
mod ports;
mod processes;
mod reaping;
mod recall;
mod refusals;
mod revocation;
mod ring;
mod runs;
mod shares;
mod shortage;
mod slices;
mod stops;
mod timed;
mod turns;

use crate::cap::Object;
use crate::task::cpu;
use crate::task::create::{self, Limits, Payer};
use crate::task::process::{Name, Process, Status};
use crate::task::share::Share;
use crate::task::thread::{Run, Thread};
use crate::task::{end, registry};
use crate::trap::HANDLERS;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError, layout, syscall};
use capos_mem::RESOURCES;
use capos_ring::UserRing;
use capos_schema::{Decode, Empty, Encode, endpoint_factory};
use kernel_hal::account::Account;
use kernel_hal::fake::{self, Session};
use kernel_hal::mem::Frames;
use kernel_hal::order;
use kernel_hal::sync::Ref;
use std::sync::Mutex;
use std::vec::Vec;

/// A machine with nothing on it, for one test at a time.
struct World {
    machine: Ref<Account>,
    share: Ref<Share>,
    _session: Session,
}

const LIMITS: Limits = Limits {
    memory_pages: 1000,
    cap_slots: 32,
    threads: 8,
    calls_in_flight: 1024,
    endpoint_entries: 64,
    log_bytes: 4096,
    dma_pages: 64,
    vectors: 8,
    priority: 10,
    cpu_percent: 0,
};

impl World {
    fn new() -> Self {
        Self::with_cpus(1)
    }

    fn with_cpus(cpus: usize) -> Self {
        let session = Session::start(cpus);
        // All that these tests do, they do in the order of locks.
        order::decide(true);
        audit::from_now_on(true);
        // A test before may have had more processors.
        (0..64).for_each(|id| cpu::IDLE.rise(id));
        let machine = Account::root([1 << 20; RESOURCES]).expect("memory");
        for id in 0..cpus {
            fake::cpu::become_cpu(id);
            cpu::of(id).period_at.store(u64::MAX, core::sync::atomic::Ordering::SeqCst);
            (HANDLERS.kick)();
        }
        fake::cpu::become_cpu(0);
        let share = Share::machine().expect("memory");
        World { machine, share, _session: session }
    }

    fn process(&self, name: &str) -> Ref<Process> {
        self.process_with(name, &LIMITS)
    }

    fn process_with(&self, name: &str, limits: &Limits) -> Ref<Process> {
        let elf = tiny_elf();
        let binary = Frames::module(&elf);
        let name = Name::new(name).expect("short");
        let payer = Payer { account: &self.machine, share: &self.share };
        create::process(&payer, name, limits, &binary, elf.len() as u64).expect("a process")
    }

    /// A process with its first thread, which is current on CPU 0 (or in its queue) afterwards.
    fn start(&self, name: &str) -> User {
        User::of(&self.process(name))
    }
}

impl World {
    /// The same at that priority.
    fn start_at(&self, name: &str, priority: u8) -> User {
        User::of(&self.process_with(name, &Limits { priority, ..LIMITS }))
    }
}

impl World {
    /// Every processor looks again, and takes back what is left to it.
    fn stir_all() {
        for id in 0..kernel_hal::cpu::count() {
            fake::cpu::become_cpu(id);
            (HANDLERS.kick)();
            (HANDLERS.timer)();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Ends whatever the test left, so that the next test finds an empty machine. A test that failed in the middle of a disorder of
        // its own making may leave what cannot end.
        for _ in 0..1000 {
            let Some(process) = registry::at_or_after(0) else { break };
            end::end_process(&process, Status::Killed);
            Self::stir_all();
        }
        // Also when nothing was left: a processor remembers whose time it last was.
        Self::stir_all();
        audit::nothing_is_left();
    }
}

/// One user thread, played by the test.
struct User {
    thread: Ref<Thread>,
    ring: UserRing,
}

impl User {
    fn of(process: &Ref<Process>) -> Self {
        process.threads.lock().started = true;
        let thread = create::first_thread(process, &[]).expect("a thread");
        create::run(&thread);
        (HANDLERS.kick)();
        Self::playing(thread)
    }

    fn playing(thread: Ref<Thread>) -> Self {
        User { ring: thread.ring.user(), thread }
    }

    fn process(&self) -> &Ref<Process> {
        &self.thread.process
    }

    /// What a capability of this process stands for.
    fn object(&self, id: CapId) -> Object {
        self.process().table.lock().lookup(id).expect("held").object.clone()
    }

    /// Puts a capability into this process's table from outside.
    fn hold(&self, object: Object) -> CapId {
        if let Object::Client(facet) = &object {
            facet.given();
        }
        self.process().insert(object).expect("a free slot")
    }

    fn submit(&self, sqe: Sqe) {
        self.ring.submit(&sqe).expect("room in the submission queue");
    }

    /// Makes the system call, after waiting (by letting others go idle) until this thread runs.
    fn enter(&self, min: u64, timeout_ns: u64) {
        self.run();
        (HANDLERS.syscall)(min, timeout_ns, syscall::CAP_ENTER);
        audit::books_are_in_order();
    }

    /// Polls: takes submissions, never sleeps.
    fn poll(&self) {
        self.enter(0, 0);
    }

    /// Makes this thread the current one, letting ready threads take turns.
    fn run(&self) {
        for _ in 0..64 {
            let state = self.thread.state.lock().run;
            match state {
                Run::Running(id) => {
                    fake::cpu::become_cpu(id);
                    return;
                }
                Run::Ready => (HANDLERS.kick)(),
                Run::Blocked | Run::Resting | Run::Stopping | Run::Stopped | Run::Dead => break,
            }
        }
        panic!("thread {} does not run: {:?}", self.thread.id, self.thread.state.lock().run);
    }

    fn is_blocked(&self) -> bool {
        matches!(self.thread.state.lock().run, Run::Blocked | Run::Resting)
    }

    /// Submits one operation, polls, and takes its completion.
    fn one(&self, sqe: Sqe) -> Cqe {
        self.submit(sqe);
        self.poll();
        self.pop()
    }

    fn pop(&self) -> Cqe {
        self.ring.pop().expect("a completion")
    }

    fn nothing(&self) {
        assert!(self.ring.pop().is_none(), "unexpected completion");
    }

    /// What the last system call answered.
    fn returned(&self) -> i64 {
        self.thread.context.registers().rax.cast_signed()
    }

    fn put(&self, off: u32, bytes: &[u8]) {
        self.thread.ring.arena_write(off, bytes).expect("inside the arena");
    }

    fn get(&self, off: u32, len: usize) -> Vec<u8> {
        let mut out = std::vec![0; len];
        self.thread.ring.arena_read(off, &mut out).expect("inside the arena");
        out
    }

    fn word(&self, off: u32) -> u64 {
        self.thread.ring.arena_load(off).expect("inside the arena")
    }

    fn set_word(&self, off: u32, value: u64) {
        self.thread.ring.arena_store(off, value).expect("inside the arena");
    }

    /// Calls a kernel object and decodes the answer.
    fn call<R: for<'a> Decode<'a>>(
        &self,
        cap: CapId,
        interface: u64,
        method: u16,
        params: &impl Encode,
    ) -> Result<R, Cqe> {
        let cqe = self.call_raw(cap, interface, method, params, 0);
        if cqe.result < 0 || cqe.flags != 0 {
            return Err(cqe);
        }
        R::decode(&self.get(REPLY, cqe.result as usize)).map_err(|_| cqe)
    }

    /// Calls a kernel object that answers with one capability.
    fn call_for_cap(
        &self,
        cap: CapId,
        interface: u64,
        method: u16,
        params: &impl Encode,
    ) -> Result<CapId, Cqe> {
        let cqe = self.call_raw(cap, interface, method, params, 1);
        if cqe.result < 0 || cqe.flags != 0 || cqe.caps != 1 {
            return Err(cqe);
        }
        Ok(CapId::from_raw(self.word(CAPS)))
    }

    fn call_raw(&self, cap: CapId, interface: u64, method: u16, params: &impl Encode, caps_recv: u8) -> Cqe {
        let mut message = [0; 4096];
        let len = params.encode(&mut message).expect("it fits");
        self.put(MSG, &message[..len]);
        self.one(Sqe { caps_recv, ..call_sqe(cap, interface, method, len as u32) })
    }
}

/// Where the tests keep things in the arena.
const MSG: u32 = 0;
const REPLY: u32 = 8192;
const CAPS: u32 = 16384;

fn call_sqe(cap: CapId, interface: u64, method: u16, msg_len: u32) -> Sqe {
    Sqe {
        op: Op::Call as u8,
        method,
        cap: cap.raw(),
        interface,
        msg_off: MSG,
        msg_len,
        reply_off: REPLY,
        reply_len: 4096,
        caps_off: CAPS,
        user_data: 1,
        ..Sqe::default()
    }
}

fn recv_sqe(cap: CapId) -> Sqe {
    Sqe {
        op: Op::Recv as u8,
        cap: cap.raw(),
        msg_off: REPLY,
        msg_len: 4096,
        caps_off: CAPS,
        caps_recv: 4,
        user_data: 2,
        ..Sqe::default()
    }
}

fn return_sqe(right: CapId, token: u64, msg_len: u32) -> Sqe {
    let interface = right.raw();
    Sqe { op: Op::Return as u8, cap: token, interface, msg_off: MSG, msg_len, user_data: 3, ..Sqe::default() }
}

/// An answer that asks for the next call, too.
fn return_recv_sqe(right: CapId, token: u64, msg_len: u32) -> Sqe {
    let (answer, next) = (return_sqe(right, token, msg_len), recv_sqe(right));
    Sqe {
        op: Op::ReturnRecv as u8,
        reply_off: next.msg_off,
        reply_len: next.msg_len,
        caps_off: next.caps_off,
        caps_recv: next.caps_recv,
        user_data: 4,
        ..answer
    }
}

/// A new notification of that user's.
fn notification_of(user: &User) -> CapId {
    let (target, create) = (CapId::SELF_ENDPOINTS, endpoint_factory::CREATE_NOTIFICATION);
    user.call_for_cap(target, endpoint_factory::INTERFACE_ID, create, &Empty).expect("a notification")
}

/// A wait that never ends goes the shortest way; one that ends in centuries the ordinary one.
const WAYS: [u64; 2] = [syscall::FOREVER, syscall::FOREVER / 2];

fn error(cqe: &Cqe) -> Option<TransportError> {
    TransportError::from_code(cqe.result)
}

/// Its length, bytes.
const TINY_ELF: usize = 4096 + 16;

/// The smallest program there is: one page of read-execute with one instruction.
fn tiny_elf() -> Vec<u8> {
    let mut elf = std::vec![0u8; TINY_ELF];
    let base = layout::IMAGE_BASE;
    elf[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let mut at = 16;
    let mut put = |bytes: &[u8]| {
        elf[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&2u16.to_le_bytes()); // ET_EXEC
    put(&62u16.to_le_bytes()); // x86_64
    put(&1u32.to_le_bytes());
    put(&base.to_le_bytes()); // entry
    put(&64u64.to_le_bytes()); // program headers
    put(&0u64.to_le_bytes());
    put(&0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        put(&half.to_le_bytes());
    }
    put(&1u32.to_le_bytes()); // PT_LOAD
    put(&5u32.to_le_bytes()); // R+X
    for word in [4096u64, base, base, 16, 16, 4096] {
        put(&word.to_le_bytes());
    }
    elf
}

/// The CPU whose turn it is.
fn here() -> &'static cpu::Cpu {
    cpu::here()
}

/// What a sibling of a running thread does when it is kicked: thread, header field, value.
static MEDDLING: Mutex<Option<(Ref<Thread>, usize, u32)>> = Mutex::new(None);

/// When somebody is kicked next, somebody else of the same process writes to `thread`'s ring, as it may at any moment.
fn on_kick(thread: &Ref<Thread>, field: usize, value: u32) {
    *MEDDLING.lock().expect("nobody panics with it") = Some((thread.clone(), field, value));
    fake::cpu::answer_kicks(meddle);
}

fn meddle() {
    let meddling = MEDDLING.lock().expect("nobody panics with it").take();
    if let Some((thread, field, value)) = meddling {
        thread.ring.frames().write(field, &value.to_le_bytes()).expect("inside the header");
    }
}

/// Whether what [`on_kick`] asked for has happened.
fn was_kicked() -> bool {
    MEDDLING.lock().expect("nobody panics with it").is_none()
}
