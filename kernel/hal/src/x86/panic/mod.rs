//! The end: when the kernel finds itself broken it stops all processors, takes COM1 back and says what it knows, once.

mod backtrace;
mod symbols;

use super::console::Emergency;
use super::cpu::{self, local};
use super::traps::frame::Frame;
use super::{apic, power, smp, time};
use crate::types::PanicAction;
use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use spin::Once;
use x86_64::registers::control::{Cr2, Cr3};

pub(super) use symbols::find as find_symbols;

static TAIL: Once<fn(&mut dyn Write)> = Once::new();
static REBOOT: AtomicBool = AtomicBool::new(false);
static REPORT_NMI: AtomicBool = AtomicBool::new(false);
/// CPU that reports, plus one; 0 while all is well.
static REPORTER: AtomicUsize = AtomicUsize::new(0);
/// Stands for a CPU that has no number yet.
const UNKNOWN: usize = usize::MAX - 1;

/// Registers who writes the last log lines into a report. The function must not wait for locks: whoever holds them was stopped.
pub fn set_log_tail(tail: fn(&mut dyn Write)) {
    TAIL.call_once(|| tail);
}

/// What to do after a report.
pub fn set_action(action: PanicAction) {
    REBOOT.store(action == PanicAction::Reboot, Ordering::Relaxed);
}

/// From now on an NMI from outside is a panic: clouds and machines with a button for it offer that as a diagnostic interrupt.
pub fn report_nmi() {
    REPORT_NMI.store(true, Ordering::Relaxed);
}

/// Whether an NMI from outside is a panic.
pub(super) fn nmi_is_reported() -> bool {
    REPORT_NMI.load(Ordering::Relaxed)
}

/// Whether some CPU is reporting.
pub(super) fn is_stopping() -> bool {
    REPORTER.load(Ordering::Acquire) != 0
}

/// This CPU does nothing more.
pub(super) fn stop_here() -> ! {
    loop {
        // SAFETY: halts for good.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// No CPU does anything more.
pub(super) fn stop_all() -> ! {
    let me = cpu::id();
    REPORTER.store(me + 1, Ordering::Release);
    stop_others(me);
    stop_here()
}

/// The machine cannot run this kernel: one line that says why, then nothing.
pub(super) fn refuse(reason: fmt::Arguments<'_>) -> ! {
    // Writing to the console cannot fail.
    let _ = writeln!(Emergency::new(), "capOS cannot start: {reason}");
    stop_here()
}

/// What is known of the place of the fault.
struct Place {
    rip: Option<u64>,
    rbp: u64,
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let registers = Kept::read();
    report(Place { rip: None, rbp: registers.rbp }, |out| {
        writeln!(out, "{info}")?;
        registers.write(out)
    })
}

/// What a function call leaves in the registers: those that callees preserve still hold values of whoever panicked.
struct Kept {
    rsp: u64,
    rbp: u64,
    rbx: u64,
    r12_to_r15: [u64; 4],
    rflags: u64,
}

impl Kept {
    #[inline(always)]
    fn read() -> Kept {
        let mut kept = Kept { rsp: 0, rbp: 0, rbx: 0, r12_to_r15: [0; 4], rflags: 0 };
        // SAFETY: reads registers, and the flags by way of the stack.
        unsafe {
            asm!("mov {}, rsp", "mov {}, rbp", "mov {}, rbx", out(reg) kept.rsp, out(reg) kept.rbp, out(reg) kept.rbx);
            let [r12, r13, r14, r15] = &mut kept.r12_to_r15;
            asm!("mov {}, r12", "mov {}, r13", out(reg) * r12, out(reg) * r13);
            asm!("mov {}, r14", "mov {}, r15", out(reg) * r14, out(reg) * r15);
            asm!("pushfq", "pop {}", out(reg) kept.rflags);
        }
        kept
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        let [r12, r13, r14, r15] = self.r12_to_r15;
        write_row(out, &[("rsp", self.rsp), ("rbp", self.rbp), ("rbx", self.rbx), ("rfl", self.rflags)])?;
        write_row(out, &[("r12", r12), ("r13", r13), ("r14", r14), ("r15", r15)])
    }
}

/// Privilege level in a code selector.
const RPL: u64 = 3;

/// An exception in the kernel, or one that ends it wherever it came.
pub(super) fn report_exception(frame: &Frame, name: &str) -> ! {
    let in_kernel = frame.cs & RPL == 0;
    let whose = if in_kernel { "in the kernel" } else { "while a program ran" };
    // A program's frame pointer is any number.
    let rbp = if in_kernel { frame.rbp } else { 0 };
    report(Place { rip: Some(frame.rip), rbp }, |out| {
        writeln!(out, "{name} {whose} (vector {}, error code {:#x})", frame.vector, frame.error_code)?;
        if smp::is_guard(Cr2::read_raw()) {
            writeln!(out, "  cr2 lies just below a kernel stack: the stack has overflowed")?;
        }
        write_frame(out, frame)
    })
}

fn report(place: Place, what: impl FnOnce(&mut Emergency) -> fmt::Result) -> ! {
    // SAFETY: interrupts stay off from here on.
    unsafe { asm!("cli", options(nomem, nostack)) };
    let cpu = local::try_this().map_or(UNKNOWN, |local| local.id.get());
    match REPORTER.compare_exchange(0, cpu + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {}
        Err(reporter) if reporter == cpu + 1 => {
            // The report itself is what fails now: no second one.
            let _ = writeln!(Emergency::new(), "\npanic while reporting a panic");
            finish(&mut Emergency::new())
        }
        Err(_) => stop_here(),
    }
    stop_others(cpu);
    let mut out = Emergency::new();
    // Writing to the console cannot fail.
    let _ = write_report(&mut out, cpu, &place, what);
    finish(&mut out)
}

fn stop_others(me: usize) {
    let others = (0..cpu::count()).filter(|cpu| *cpu != me).filter_map(local::of);
    for other in others.filter(|other| other.online.load(Ordering::Acquire)) {
        apic::send_nmi(other.apic_id.load(Ordering::Relaxed));
    }
}

fn write_report(
    out: &mut Emergency,
    cpu: usize,
    place: &Place,
    what: impl FnOnce(&mut Emergency) -> fmt::Result,
) -> fmt::Result {
    write!(out, "\nKERNEL PANIC: ")?;
    what(out)?;
    match cpu {
        UNKNOWN => writeln!(out, "  cpu: not set up yet")?,
        cpu => writeln!(out, "  cpu: {cpu} of {}, {} ns after boot", cpu::count(), time::now_ns())?,
    }
    writeln!(out, "  cr2={:#018x} cr3={:#018x}", Cr2::read_raw(), Cr3::read().0.start_address())?;
    backtrace::write(out, cpu, place.rip, place.rbp)?;
    if let Some(tail) = TAIL.get() {
        writeln!(out, "  last log lines:")?;
        tail(out);
    }
    Ok(())
}

fn write_frame(out: &mut dyn Write, frame: &Frame) -> fmt::Result {
    let rows = [
        [("rip", frame.rip), ("rsp", frame.rsp), ("rbp", frame.rbp), ("rfl", frame.rflags)],
        [("rax", frame.rax), ("rbx", frame.rbx), ("rcx", frame.rcx), ("rdx", frame.rdx)],
        [("rsi", frame.rsi), ("rdi", frame.rdi), ("r8 ", frame.r8), ("r9 ", frame.r9)],
        [("r10", frame.r10), ("r11", frame.r11), ("r12", frame.r12), ("r13", frame.r13)],
        [("r14", frame.r14), ("r15", frame.r15), ("cs ", frame.cs), ("ss ", frame.ss)],
    ];
    rows.iter().try_for_each(|row| write_row(out, row))
}

fn write_row(out: &mut dyn Write, row: &[(&str, u64)]) -> fmt::Result {
    write!(out, " ")?;
    row.iter().try_for_each(|(name, value)| write!(out, " {name}={value:#018x}"))?;
    writeln!(out)
}

fn finish(out: &mut Emergency) -> ! {
    if REBOOT.load(Ordering::Relaxed) {
        let _ = writeln!(out, "KERNEL PANIC: rebooting");
        power::reboot()
    }
    let _ = writeln!(out, "KERNEL PANIC: halted");
    stop_here()
}
