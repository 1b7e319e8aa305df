//! The machine side: everything here runs once, on one processor, with interrupts off, and ends in the kernel or in a refusal.

mod apic;
mod crew;
mod entry;
mod faults;
mod files;
mod firmware;
mod leap;
mod memory;
mod parking;
mod port;
mod processor;
mod serial;
mod start;

use core::panic::PanicInfo;

use loader::Refusal;
use loader::boot::Way;

use serial::say;

/// What the entry code calls in long mode, on the boot stack: `way` is 1 for PVH and 2 for Multiboot2.
#[unsafe(no_mangle)]
extern "C" fn loader_main(way: u32, information: u64) -> ! {
    serial::open();
    faults::install();
    let way = if way == 1 { Way::Pvh } else { Way::Multiboot2 };
    match start::boot(way, information) {
        Ok(never) => match never {},
        Err(refusal) => refuse(&refusal),
    }
}

/// Says why in one line, and stops.
fn refuse(refusal: &Refusal) -> ! {
    say(format_args!("refused: {refusal}"));
    processor::stop()
}

/// A fault of ours. Nothing here should panic; if it does, the machine must not just hang in silence.
#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    say(format_args!("internal error: {info}"));
    processor::stop()
}
