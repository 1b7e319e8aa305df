//! User threads as the machine sees them: saved registers, and which thread a CPU resumes.

use super::cpu::fpu::VectorState;
use super::cpu::local::{self, Local};
use super::cpu::tables::{USER_CODE, USER_DATA};
use super::debug::{BREAKPOINTS, EXTRAS, Extras};
use super::vm::{self, AddressSpace};
use crate::pure::owner::Owner;
use crate::sync::{OutOfMemory, Ref};
use crate::types::{Place, Registers, Start, flags};
use capos_abi::layout::USER_MAX;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use x86_64::VirtAddr;
use x86_64::registers::model_specific::FsBase;

/// [`SavedState::kind`]: entered by system call; only preserved registers are valid.
pub(super) const BY_SYSCALL: u64 = 0;
/// [`SavedState::kind`]: interrupted (or not begun); all registers are valid.
pub(super) const BY_INTERRUPT: u64 = 1;

/// Length of the SYSCALL instruction, bytes.
const SYSCALL_LEN: u64 = 2;
/// Interrupts on, and the bit that is always one.
const INITIAL_FLAGS: u64 = 0x202;
/// [`Local::entered`] when the registers are no longer those of a system call. Not null, which would be the idle CPU's context.
pub(super) const NOBODY_ENTERED: *mut SavedState = ptr::dangling_mut();

/// Registers of a thread while the kernel runs. Layout shared with traps/entry.rs; ends on 16 bytes as the processor wants.
#[repr(C, align(64))]
pub(super) struct SavedState {
    pub padding: u64,
    pub kind: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub vector: u64,
    pub error_code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Saved registers of one thread, and the address space that it runs in.
pub struct UserContext {
    state: UnsafeCell<SavedState>,
    space: Ref<AddressSpace>,
    vectors: VectorState,
    /// FS base, and [`EXTRAS`].
    fs_base: AtomicU64,
    owner: Owner,
    extras: Extras,
}

// SAFETY: the state is written by the CPU that owns the context (see `enter`); everybody else uses single-word volatile accesses,
// which at worst read an old word.
unsafe impl Sync for UserContext {}
// SAFETY: as above.
unsafe impl Send for UserContext {}

/// User addresses end below the hole in the address space: a thread that is told to begin beyond it begins at 0 and faults there,
/// because SYSRET to a non-canonical address would fault in the kernel instead.
fn user_address(address: u64) -> u64 {
    if address < USER_MAX { address } else { 0 }
}

impl UserContext {
    /// A context that will begin at `start` in `space`.
    pub fn new(start: Start, space: &Ref<AddressSpace>) -> Result<Ref<UserContext>, OutOfMemory> {
        let [rdi, rsi, rdx] = start.args;
        let state = SavedState {
            padding: 0,
            kind: BY_INTERRUPT,
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rax: 0,
            rcx: 0,
            rdx,
            rsi,
            rdi,
            vector: 0,
            error_code: 0,
            rip: user_address(start.entry),
            cs: u64::from(USER_CODE),
            rflags: INITIAL_FLAGS,
            rsp: user_address(start.stack),
            ss: u64::from(USER_DATA),
        };
        Ref::try_new(UserContext {
            state: UnsafeCell::new(state),
            space: space.clone(),
            vectors: VectorState::new()?,
            fs_base: AtomicU64::new(user_address(start.fs_base)),
            owner: Owner::nobody(),
            extras: Extras::new(),
        })
    }

    /// What the system call answers.
    #[inline]
    pub fn set_return(&self, value: u64) {
        // SAFETY: one word of our own; see `Sync`.
        unsafe { ptr::write_volatile(&raw mut (*self.state.get()).rax, value) };
    }

    /// The thread makes the system call that is being handled anew when it runs again, after whatever interrupts are waiting.
    pub fn repeat_syscall(&self, first: u64, second: u64, number: u64) {
        // The CPU has what it needs for the way out by IRET only from here on.
        local::this().entered.set(NOBODY_ENTERED);
        let state = self.state.get();
        // SAFETY: this CPU owns the context, as it handles its system call; nobody else writes these words.
        unsafe {
            (*state).kind = BY_INTERRUPT;
            (*state).rip = (*state).rip.wrapping_sub(SYSCALL_LEN);
            ((*state).rdi, (*state).rsi, (*state).rax) = (first, second, number);
            ((*state).rcx, (*state).rdx) = (0, 0);
            ((*state).r8, (*state).r9, (*state).r10, (*state).r11) = (0, 0, 0, 0);
        }
    }

    /// Sets FS base; addresses beyond user space become 0. Takes effect at once if the thread is the current one.
    pub fn set_fs_base(&self, base: u64) {
        let base = user_address(base);
        // Only this thread, or a debugger while it is stopped, sets the base; the bit may change at any time.
        self.fs_base.fetch_and(EXTRAS, Ordering::Relaxed);
        let word = self.fs_base.fetch_or(base, Ordering::Relaxed) | base;
        if self.owner.is(local::this().id.get()) {
            write_fs_base(local::this(), word);
        }
    }

    /// Gives the thread breakpoints: their addresses, and DR7 as the processor has it. Takes effect on a CPU that runs the thread when
    /// that CPU is kicked.
    pub fn set_breakpoints(&self, addresses: [u64; BREAKPOINTS], control: u64) {
        self.extras.set_breakpoints(addresses, control);
        self.mark_extras();
    }

    /// Has the thread's system calls go to the handler for traced threads, or not. Takes effect as for breakpoints.
    pub fn set_traced(&self, traced: bool) {
        self.extras.set_traced(traced);
        self.mark_extras();
    }

    fn mark_extras(&self) {
        if self.extras.any() {
            self.fs_base.fetch_or(EXTRAS, Ordering::AcqRel);
        } else {
            self.fs_base.fetch_and(!EXTRAS, Ordering::AcqRel);
        }
        if self.owner.is(local::this().id.get()) {
            refresh();
        }
    }

    /// Sets all registers of a thread that no CPU runs or is about to run: waits for its last one to let go of it. What user code may
    /// not set of the flags stays as it is; false, and nothing is changed, when the instruction pointer is no user address.
    pub fn set_registers(&self, new: &Registers) -> bool {
        if new.rip >= USER_MAX || new.fs_base >= USER_MAX {
            return false;
        }
        let local = local::this();
        self.own(local);
        let state = self.state.get();
        let [r8, r9, r10, r11, r12, r13, r14, r15] = new.high;
        // SAFETY: this CPU owns the context.
        unsafe {
            (*state).kind = BY_INTERRUPT;
            ((*state).rip, (*state).rsp, (*state).rbp) = (new.rip, new.rsp, new.rbp);
            (*state).rflags = new.rflags & flags::USER | flags::ALWAYS;
            ((*state).rax, (*state).rbx, (*state).rcx, (*state).rdx) = (new.rax, new.rbx, new.rcx, new.rdx);
            ((*state).rsi, (*state).rdi) = (new.rsi, new.rdi);
            ((*state).r8, (*state).r9, (*state).r10, (*state).r11) = (r8, r9, r10, r11);
            ((*state).r12, (*state).r13, (*state).r14, (*state).r15) = (r12, r13, r14, r15);
        }
        self.fs_base.fetch_and(EXTRAS, Ordering::Relaxed);
        self.fs_base.fetch_or(new.fs_base, Ordering::Relaxed);
        self.owner.let_go();
        true
    }

    /// Sets the instruction pointer and changes flags of the same. The way of a fault handler that mends and goes on: nothing else is
    /// touched.
    pub fn redirect(&self, rip: Option<u64>, set: u64, clear: u64) -> bool {
        loop {
            if let Some(done) = self.try_redirect(rip, set, clear) {
                return done;
            }
            vm::flush::poll();
            core::hint::spin_loop();
        }
    }

    /// The same, or `None` when the last CPU has not let go of the thread yet. For who holds something that this CPU may be waiting for.
    #[inline]
    pub fn try_redirect(&self, rip: Option<u64>, set: u64, clear: u64) -> Option<bool> {
        if rip.is_some_and(|rip| rip >= USER_MAX) {
            return Some(false);
        }
        let own = local::this().id.get();
        let running = self.owner.is(own);
        if !running && !self.owner.try_take(own) {
            return None;
        }
        let state = self.state.get();
        // SAFETY: this CPU owns the context.
        unsafe {
            if let Some(rip) = rip {
                (*state).rip = rip;
            }
            (*state).rflags = ((*state).rflags & !(clear & flags::USER)) | set & flags::USER;
        }
        if !running {
            self.owner.let_go();
        }
        Some(true)
    }

    /// Where the thread is that no CPU runs.
    #[inline]
    pub fn place(&self) -> Place {
        let state = self.state.get();
        // SAFETY: words of our own; see `Sync`.
        let word = |field: *const u64| unsafe { ptr::read_volatile(field) };
        // SAFETY: computing addresses of fields of a live structure.
        unsafe {
            Place {
                rip: word(&raw const (*state).rip),
                rsp: word(&raw const (*state).rsp),
                rflags: word(&raw const (*state).rflags),
            }
        }
    }

    /// The registers that the thread will find when it runs again.
    pub fn registers(&self) -> Registers {
        let state = self.state.get();
        // SAFETY: words of our own; see `Sync`.
        let word = |field: *const u64| unsafe { ptr::read_volatile(field) };
        // SAFETY: computing addresses of fields of a live structure.
        let (mut registers, kind) = unsafe {
            let high = [
                &raw const (*state).r8,
                &raw const (*state).r9,
                &raw const (*state).r10,
                &raw const (*state).r11,
                &raw const (*state).r12,
                &raw const (*state).r13,
                &raw const (*state).r14,
                &raw const (*state).r15,
            ];
            let registers = Registers {
                rip: word(&raw const (*state).rip),
                rsp: word(&raw const (*state).rsp),
                rbp: word(&raw const (*state).rbp),
                rflags: word(&raw const (*state).rflags),
                fs_base: self.fs_base.load(Ordering::Relaxed) & !EXTRAS,
                rax: word(&raw const (*state).rax),
                rbx: word(&raw const (*state).rbx),
                rcx: word(&raw const (*state).rcx),
                rdx: word(&raw const (*state).rdx),
                rsi: word(&raw const (*state).rsi),
                rdi: word(&raw const (*state).rdi),
                high: high.map(word),
            };
            (registers, word(&raw const (*state).kind))
        };
        if kind == BY_SYSCALL {
            // As the way out of a system call leaves them (traps/entry.rs).
            let [r8, r9, r10, r11, ..] = &mut registers.high;
            (*r8, *r9, *r10, *r11) = (0, 0, 0, registers.rflags);
            registers.rcx = registers.rip;
            (registers.rdx, registers.rsi, registers.rdi) = (0, 0, 0);
        }
        registers
    }

    /// Takes the CPU's vector registers along. The thread may be entered on another CPU from here on.
    #[inline]
    fn leave(&self, local: &Local) {
        local.entered.set(NOBODY_ENTERED);
        // SAFETY: this CPU owns the context.
        if unsafe { (*self.state.get()).kind } == BY_SYSCALL {
            self.vectors.save_control();
        } else {
            self.vectors.save_all();
        }
        self.owner.let_go();
    }

    /// Makes this CPU the owner, as soon as the last one has let go.
    #[inline(always)]
    fn own(&self, local: &Local) {
        while !self.owner.try_take(local.id.get()) {
            vm::flush::poll();
            core::hint::spin_loop();
        }
    }

    /// Puts the thread's registers on this CPU, as soon as its last one has let go of it. True when this thread or the last one has extras,
    /// which are to be [switched](Extras::switch) yet.
    #[inline]
    fn enter(&self, local: &Local) -> bool {
        self.own(local);
        let state = self.state.get();
        local.context.set(state);
        local.tables.set_entry_frame(state.wrapping_add(1) as u64);
        // User code can change FS base only to 0 (by loading a selector), so 0 after 0 needs no writing.
        let fs_base = self.fs_base.load(Ordering::Acquire);
        let either = fs_base | local.fs_base.get();
        if either != 0 {
            write_fs_base(local, fs_base);
        }
        self.vectors.load();
        either & EXTRAS != 0
    }
}

/// Takes the word that [`UserContext::fs_base`] is; truncation takes the bit off.
fn write_fs_base(local: &Local, word: u64) {
    local.fs_base.set(word);
    FsBase::write(VirtAddr::new_truncate(word));
}

/// Looks again what the thread that this CPU runs has beside its registers: it may have changed.
pub fn refresh() {
    let Some(local) = local::try_this() else { return };
    // SAFETY: as in `run`; nothing is taken out.
    let running = unsafe { &*local.running.get() };
    if let Some(context) = running {
        let word = context.fs_base.load(Ordering::Acquire);
        if (word | local.fs_base.get()) & EXTRAS != 0 {
            write_fs_base(local, word);
            context.extras.switch(local);
        }
    }
}

/// What this CPU resumes when the handler returns.
#[inline]
pub fn run(context: &Ref<UserContext>) {
    let local = local::this();
    if ptr::eq(local.context.get(), context.state.get()) {
        return;
    }
    // SAFETY: only the owning CPU uses this cell, with interrupts off, and nothing below comes back here.
    let running = unsafe { &mut *local.running.get() };
    let old = running.replace(context.clone());
    if let Some(old) = &old {
        old.leave(local);
    }
    let extras = context.enter(local);
    if local.top.get() != context.space.top() {
        context.space.load(local);
        if let Some(old) = &old {
            old.space.unloaded(local);
        }
    }
    if extras {
        return switch_extras(context, local, old);
    }
    // Dropped last, when the CPU no longer needs it: this may free tables and frames.
    drop(old);
}

/// The rest of [`run`] where there are extras. At its end, so that what it does to registers is not felt where there are none.
#[cold]
#[inline(never)]
fn switch_extras(context: &UserContext, local: &Local, old: Option<Ref<UserContext>>) {
    context.extras.switch(local);
    drop(old);
}

/// Nothing to run on this CPU: it waits for an event that makes somebody run.
pub fn run_idle() {
    let local = local::this();
    // SAFETY: as in `run`.
    let running = unsafe { &mut *local.running.get() };
    let old = running.take();
    local.context.set(ptr::null_mut());
    if let Some(old) = &old {
        old.leave(local);
        vm::load_kernel_space(local);
        old.space.unloaded(local);
    }
    drop(old);
}
