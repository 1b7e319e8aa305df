//! What each CPU has of its own, reachable by GS base while in the kernel.

use super::MAX_CPUS;
use super::tables::Tables;
use crate::pure::mailbox::Mailbox;
use crate::sync::Ref;
use crate::types::SyscallHandler;
use crate::x86::start;
use crate::x86::user::{BY_SYSCALL, NOBODY_ENTERED, SavedState, UserContext};
use core::arch::asm;
use core::cell::{Cell, UnsafeCell};
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};

/// One CPU. The first fields are known to traps/entry.rs by offset.
#[repr(C, align(128))]
pub struct Local {
    /// Address of this very structure.
    pub this: Cell<*const Local>,
    /// Top of the kernel stack.
    pub stack: Cell<u64>,
    /// Registers of the thread that runs or was interrupted; null while idle.
    pub context: Cell<*mut SavedState>,
    /// Holds the user's stack pointer for a few instructions.
    pub scratch: Cell<u64>,
    /// Where system calls go: elsewhere while the thread is traced.
    pub on_syscall: Cell<SyscallHandler>,
    /// Whose system call is being handled, as long as its registers have not left the CPU: then those that a function keeps need
    /// not be loaded again.
    pub entered: Cell<*mut SavedState>,
    /// Number of this CPU.
    pub id: Cell<usize>,
    /// What keeps the registers of the thread, and its address space, alive.
    pub running: UnsafeCell<Option<Ref<UserContext>>>,
    /// Bit number [`Local::id`].
    pub bit: Cell<u64>,
    /// Top page table in use, 0 for the kernel's own.
    pub top: Cell<u64>,
    /// FS base as last written, and whether the thread has [`Extras`](crate::x86::debug::Extras): see `UserContext::enter`.
    pub fs_base: Cell<u64>,
    /// Deadline given to `time::arm`.
    pub deadline: Cell<u64>,
    /// GDT and TSS.
    pub tables: Tables,
    /// Written by others, too: TLB flushes that were asked for.
    pub flushes: Mailbox,
    /// Interrupt controller id.
    pub apic_id: AtomicU32,
    /// Whether the CPU has come up.
    pub online: AtomicBool,
}

// SAFETY: the cells are used by the owning CPU alone, with interrupts off; the atomics by everybody.
unsafe impl Sync for Local {}

impl Local {
    const fn new() -> Self {
        Local {
            this: Cell::new(ptr::null()),
            stack: Cell::new(0),
            context: Cell::new(ptr::null_mut()),
            scratch: Cell::new(0),
            on_syscall: Cell::new(start::no_syscall),
            entered: Cell::new(NOBODY_ENTERED),
            id: Cell::new(0),
            running: UnsafeCell::new(None),
            bit: Cell::new(0),
            top: Cell::new(0),
            fs_base: Cell::new(0),
            deadline: Cell::new(u64::MAX),
            tables: Tables::new(),
            flushes: Mailbox::new(),
            apic_id: AtomicU32::new(0),
            online: AtomicBool::new(false),
        }
    }
}

static LOCALS: [Local; MAX_CPUS] = [const { Local::new() }; MAX_CPUS];
static READY: AtomicBool = AtomicBool::new(false);

/// The structure of any CPU, for its atomics.
pub fn of(cpu: usize) -> Option<&'static Local> {
    LOCALS.get(cpu)
}

/// Makes the executing processor CPU number `id`.
///
/// # Safety
/// Once per processor, each with its own number, `stack` being the top of its own mapped stack.
pub unsafe fn adopt(id: usize, apic_id: u32, stack: u64) -> &'static Local {
    let local = &LOCALS[id];
    local.this.set(local);
    local.stack.set(stack);
    local.id.set(id);
    local.bit.set(1 << id);
    local.apic_id.store(apic_id, Ordering::Release);
    GsBase::write(VirtAddr::from_ptr(local));
    KernelGsBase::write(VirtAddr::zero());
    READY.store(true, Ordering::Release);
    local
}

/// The executing CPU's own structure.
#[inline]
pub fn this() -> &'static Local {
    let local: *const Local;
    // SAFETY: in the kernel GS base points at the CPU's structure, whose first field is its address.
    unsafe { asm!("mov {}, gs:[0]", out(reg) local, options(nostack, preserves_flags, pure, readonly)) };
    // SAFETY: it lies in a static.
    unsafe { &*local }
}

/// Its number, in one instruction: every system call begins with it.
#[inline]
pub fn id() -> usize {
    let id;
    // SAFETY: as in `this`; only `adopt` changes the field, before anybody asks.
    unsafe {
        asm!(
            "mov {}, gs:[{}]",
            out(reg) id,
            const offset_of!(Local, id),
            options(nostack, preserves_flags, pure, readonly),
        )
    };
    id
}

/// Whether processors have their structures. The first one runs without for a while; others do nothing before.
#[inline]
pub fn is_adopted() -> bool {
    READY.load(Ordering::Acquire)
}

/// Whether nobody needs what is in the vector registers: this CPU handles a system call of the thread whose registers it still has.
#[inline]
pub fn vectors_are_free() -> bool {
    if !is_adopted() {
        return false;
    }
    let local = this();
    let context = local.context.get();
    // SAFETY: a context that is not null is that of the thread that this CPU owns, which lives as long.
    !context.is_null() && context == local.entered.get() && unsafe { (*context).kind } == BY_SYSCALL
}

/// Like [`this`], for code that may run before the CPU was adopted: panics.
pub fn try_this() -> Option<&'static Local> {
    if !is_adopted() {
        return None;
    }
    let base = GsBase::read().as_ptr::<Local>();
    LOCALS.iter().find(|local| ptr::eq(*local, base))
}
