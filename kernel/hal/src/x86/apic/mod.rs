//! The local interrupt controller of each CPU: x2APIC by MSR where the processor has it, else xAPIC by uncached memory
//! (Intel SDM vol. 3, chapter 10).

pub mod io;
mod pic;
pub mod timer;

use super::acpi;
use super::cpu::probe::features;
use super::paging::mmio::{self, Window};
use super::traps::vectors;
use core::sync::atomic::{AtomicBool, Ordering};
use spin::Once;
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags, Msr};

/// Register offsets of the xAPIC; the MSR of the same register is `0x800 + offset / 16`.
mod register {
    pub const ID: u32 = 0x020;
    pub const VERSION: u32 = 0x030;
    pub const TASK_PRIORITY: u32 = 0x080;
    pub const END_OF_INTERRUPT: u32 = 0x0b0;
    pub const SPURIOUS: u32 = 0x0f0;
    pub const IN_SERVICE: u32 = 0x100;
    pub const REQUESTED: u32 = 0x200;
    pub const COMMAND: u32 = 0x300;
    pub const COMMAND_HIGH: u32 = 0x310;
    pub const TIMER: u32 = 0x320;
    pub const THERMAL: u32 = 0x330;
    pub const PERFORMANCE: u32 = 0x340;
    pub const LINT0: u32 = 0x350;
    pub const LINT1: u32 = 0x360;
    pub const ERROR: u32 = 0x370;
    pub const INITIAL_COUNT: u32 = 0x380;
    pub const CURRENT_COUNT: u32 = 0x390;
    pub const DIVIDE: u32 = 0x3e0;
}

const X2APIC_BASE: u32 = 0x800;
const X2APIC_COMMAND: u32 = 0x830;
/// Software enable, in the spurious vector register.
const ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
/// Command register: deliver an NMI, level asserted.
const DELIVER_NMI: u32 = 0b100 << 8;
const ASSERT: u32 = 1 << 14;
/// Command register: the last command is still on its way (xAPIC only).
const PENDING: u32 = 1 << 12;

static X2APIC: AtomicBool = AtomicBool::new(false);
static WINDOW: Once<Window> = Once::new();

#[inline]
pub fn is_x2apic() -> bool {
    X2APIC.load(Ordering::Relaxed)
}

fn read(register: u32) -> u32 {
    if is_x2apic() {
        // SAFETY: a readable x2APIC register; the mode is on.
        #[expect(clippy::cast_possible_truncation, reason = "the upper half is reserved")]
        return unsafe { Msr::new(X2APIC_BASE + register / 16).read() } as u32;
    }
    WINDOW.get().map_or(0, |window| window.read32(register as usize))
}

fn write(register: u32, value: u32) {
    if is_x2apic() {
        // SAFETY: a writable x2APIC register; its uses here touch no memory.
        unsafe { Msr::new(X2APIC_BASE + register / 16).write(u64::from(value)) };
    } else if let Some(window) = WINDOW.get() {
        window.write32(register as usize, value);
    }
}

/// Finds the controller and silences the old one. On the boot CPU, before [`init_cpu`].
pub(super) fn init() {
    pic::disable();
    let (frame, flags) = ApicBase::read();
    // A loader may have switched to x2APIC already, which only a reset takes back.
    let on_already = flags.bits() & ApicBaseFlags::X2APIC_ENABLE.bits() != 0;
    if features().x2apic || on_already {
        X2APIC.store(true, Ordering::Relaxed);
    } else {
        WINDOW.call_once(|| mmio::map(frame.start_address().as_u64(), 4096));
    }
}

/// Switches this CPU's controller on: only the timer, IPIs, I/O interrupts and the platform's NMI come through.
pub(super) fn init_cpu() {
    let (frame, flags) = ApicBase::read();
    let mut wanted = flags | ApicBaseFlags::LAPIC_ENABLE;
    if is_x2apic() {
        wanted |= ApicBaseFlags::X2APIC_ENABLE;
    }
    // SAFETY: same address; x2APIC only where the processor has it.
    unsafe { ApicBase::write(frame, wanted) };
    for line in [register::LINT0, register::LINT1, register::TIMER] {
        write(line, MASKED);
    }
    // Edge triggered and active high whatever the table says: as NMI the input has no other way (SDM vol. 3, 10.5.1).
    match acpi::nmi_input() {
        Some(0) => write(register::LINT0, DELIVER_NMI),
        Some(1) => write(register::LINT1, DELIVER_NMI),
        _ => {}
    }
    // Older controllers lack these two, and an x2APIC faults on registers that it lacks.
    let highest = read(register::VERSION) >> 16 & 0xff;
    for (line, number) in [(register::PERFORMANCE, 4), (register::THERMAL, 5)] {
        if highest >= number {
            write(line, MASKED);
        }
    }
    write(register::ERROR, u32::from(vectors::APIC_ERROR));
    write(register::TASK_PRIORITY, 0);
    write(register::SPURIOUS, ENABLE | u32::from(vectors::SPURIOUS));
}

/// This CPU's controller id.
pub(super) fn id() -> u32 {
    let raw = read(register::ID);
    if is_x2apic() { raw } else { raw >> 24 }
}

/// The interrupt being handled is done with, as far as the controller is concerned.
#[inline]
pub(super) fn end_of_interrupt() {
    write(register::END_OF_INTERRUPT, 0);
}

/// Whether an interrupt waits for this CPU to take it.
pub(super) fn is_requested(vector: u8) -> bool {
    bit_of(register::REQUESTED, vector)
}

/// Whether this CPU took an interrupt and has not said that it is done with it.
pub(super) fn is_in_service(vector: u8) -> bool {
    bit_of(register::IN_SERVICE, vector)
}

/// 32 vectors to a register (SDM vol. 3, 10.8.4).
fn bit_of(registers: u32, vector: u8) -> bool {
    read(registers + u32::from(vector / 32) * 0x10) >> (vector % 32) & 1 != 0
}

/// Interrupts the CPU with controller `target`.
pub(super) fn send(target: u32, vector: u8) {
    command(target, ASSERT | u32::from(vector));
}

/// Interrupts the CPU with controller `target`, whatever it is doing.
pub(super) fn send_nmi(target: u32) {
    command(target, ASSERT | DELIVER_NMI);
}

fn command(target: u32, low: u32) {
    if is_x2apic() {
        // WRMSR to x2APIC registers is not serializing: earlier stores must be visible first (SDM vol. 3, 10.12.3).
        core::sync::atomic::fence(Ordering::SeqCst);
        // SAFETY: the interrupt command register; what it interrupts is prepared for it.
        unsafe { Msr::new(X2APIC_COMMAND).write(u64::from(target) << 32 | u64::from(low)) };
        return;
    }
    while read(register::COMMAND) & PENDING != 0 {
        core::hint::spin_loop();
    }
    write(register::COMMAND_HIGH, target << 24);
    write(register::COMMAND, low);
}
