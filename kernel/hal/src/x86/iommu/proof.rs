//! Whether interrupts are kept to those who have them, tried once at boot.
//!
//! A unit that says so may not do it: QEMU's of Intel's kind, up to 10.0, passes interrupts of the old format even while its status says that it
//! does not. Then a device that may write where interrupts are can raise any of them at any processor, whatever its tables map. So the old timer raises
//! its line: by an entry of the unit, which must arrive, or nothing is known; and by the word of the I/O APIC alone, which must not.
//! None is taken here. They wait until the processor takes interrupts, and are dismissed then (traps/dispatch.rs).

use crate::types::IommuInterrupts;
use crate::x86::apic::io::{self, Pin, Trigger};
use crate::x86::traps::vectors;
use crate::x86::{acpi, apic, cpu, time};
use x86_64::instructions::port::Port;

/// How long the timer takes; its interrupt follows at once, but emulators look at their timers when they like.
const PATIENCE_NS: u64 = 20_000_000;
/// The timer's line of the old interrupt controllers.
const TIMER: u8 = 0;
const COUNT: u16 = 0x40;
const MODE: u16 = 0x43;
/// Channel 0, both bytes, mode 0: the line goes down now, and up when it has counted (8254 datasheet).
const ONCE: u8 = 0b0011_0000;
/// In ticks of 838 ns.
const TICKS: u8 = 50;

/// Tries it. On the boot CPU, before lines are claimed, with interrupts off.
pub fn try_out() -> IommuInterrupts {
    let (gsi, trigger) =
        acpi::isa_route(TIMER).unwrap_or((u32::from(TIMER), Trigger { active_low: false, level: false }));
    let Some(pin) = io::pin(gsi) else { return IommuInterrupts::Unproven };
    let [entered, alone] = vectors::TRIED;
    let id = cpu::apic_id(cpu::id());
    let passes = || {
        let past = pin.routed(trigger, alone);
        past.set_unremapped(id);
        arrives(&past, alone)
    };
    let reaches = || {
        let through = pin.routed(trigger, entered);
        through.set_target(id);
        let arrived = arrives(&through, entered);
        through.withdraw();
        arrived
    };
    // What should not arrive is tried before and after what should: a timer that is late once is not late around one that is not.
    match (passes(), reaches(), passes()) {
        (true, ..) | (.., true) => IommuInterrupts::Forgeable,
        (false, true, false) => IommuInterrupts::Proven,
        (false, false, false) => IommuInterrupts::Unproven,
    }
}

/// Whether `vector` is requested when the timer has raised its line. The line is masked before and after.
fn arrives(pin: &Pin, vector: u8) -> bool {
    pin.set_masked(false);
    raise();
    let until = time::now_ns() + PATIENCE_NS;
    while !apic::is_requested(vector) && time::now_ns() < until {
        core::hint::spin_loop();
    }
    pin.set_masked(true);
    apic::is_requested(vector)
}

fn raise() {
    // SAFETY: the old timer is the kernel's, and after calibration nobody's.
    unsafe {
        Port::new(MODE).write(ONCE);
        Port::new(COUNT).write(TICKS);
        Port::new(COUNT).write(0u8);
    }
}
