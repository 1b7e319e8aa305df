//! What each processor keeps for itself. Queues are open to the others.

use crate::ipc::endpoint::Endpoint;
use crate::task::fifo::Fifo;
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::task::timers::Due;
use capos_sched::{Deadlines, Idlers, RunQueue};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use kernel_hal::cpu::{self, MAX_CPUS};
use kernel_hal::order::LockRank;
use kernel_hal::own::Own;
use kernel_hal::sync::{Lock, Ref, RefSlot};

/// One processor. Aligned so that no two share a cache line and the way to one is a shift.
#[repr(align(512))]
pub(crate) struct Cpu {
    /// Who else is ready here.
    pub queue: Lock<RunQueue<Ref<Thread>>>,
    /// Who else is ready and has no time left until the next period.
    pub aside: Lock<RunQueue<Ref<Thread>>>,
    /// Whom the event being handled made ready last: the one to switch to directly.
    pub handoff: RefSlot<Thread>,
    /// Whether anything happened during the event being handled that changes who runs.
    pub unsettled: AtomicBool,
    /// Whether the current thread is to go behind its equals when the event is handled.
    pub rotate: AtomicBool,
    /// The processes that this CPU reaps.
    pub dying: Fifo<Process>,
    /// The endpoints that it closes.
    pub closing: Fifo<Endpoint>,
    /// Whether it is at it.
    pub reaping: AtomicBool,
    /// What is to happen at what time.
    pub deadlines: Lock<Deadlines<Due>>,
    /// For when the timer is armed, nanoseconds since boot.
    pub armed: AtomicU64,
    /// When the current thread's turn ends, if others wait.
    pub slice_end: AtomicU64,
    /// When a new period begins for those put aside; `u64::MAX` when there are none.
    pub period_at: AtomicU64,
    /// Until when the time that was taken from the current share lasts, nanoseconds; see task/meter.rs.
    pub grant_end: AtomicU64,
    /// How much that was.
    pub granted: AtomicU64,
    /// Since when it is used.
    pub grant_start: AtomicU64,
    /// Whose time is passing; `None` while idle.
    pub payer: RefSlot<Process>,
    /// Since when, in ticks of the clock.
    pub since: AtomicU64,
    /// Time without anybody, in ticks of the clock.
    pub idle_ticks: AtomicU64,
    pub switches: AtomicU64,
    pub interrupts: AtomicU64,
    pub syscalls: AtomicU64,
    pub kicks: AtomicU64,
}

impl Cpu {
    const fn new() -> Self {
        Cpu {
            queue: Lock::new(LockRank::Queue, RunQueue::new()),
            aside: Lock::new(LockRank::Queue, RunQueue::new()),
            handoff: RefSlot::empty(),
            unsettled: AtomicBool::new(true),
            rotate: AtomicBool::new(false),
            dying: Fifo::new(),
            closing: Fifo::new(),
            reaping: AtomicBool::new(false),
            deadlines: Lock::new(LockRank::Queue, Deadlines::new()),
            armed: AtomicU64::new(u64::MAX),
            slice_end: AtomicU64::new(u64::MAX),
            period_at: AtomicU64::new(u64::MAX),
            grant_end: AtomicU64::new(u64::MAX),
            granted: AtomicU64::new(0),
            grant_start: AtomicU64::new(0),
            payer: RefSlot::empty(),
            since: AtomicU64::new(0),
            idle_ticks: AtomicU64::new(0),
            switches: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
            syscalls: AtomicU64::new(0),
            kicks: AtomicU64::new(0),
        }
    }
}

static CPUS: [Cpu; MAX_CPUS] = [const { Cpu::new() }; MAX_CPUS];

/// Who runs; `None` while idle.
pub(crate) static CURRENT: Own<Thread> = Own::empty();

/// The processors with nothing to do.
pub(crate) static IDLE: Idlers = Idlers::new();

/// The processor this code runs on.
#[inline]
pub(crate) fn here() -> &'static Cpu {
    of(cpu::id())
}

/// Processor number `id`.
#[inline]
pub(crate) fn of(id: usize) -> &'static Cpu {
    // The index is the hal's own and below MAX_CPUS; the mask spares a branch on the way of every system call.
    &CPUS[id % MAX_CPUS]
}

/// Adds one to a counter that only its own CPU writes.
#[inline]
pub(crate) fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The thread that made the system call or fault being handled.
#[inline]
pub(crate) fn current() -> Option<Ref<Thread>> {
    CURRENT.get()
}
