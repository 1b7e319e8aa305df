//! The interrupt table while the loader has the machine: faults are said on COM1, and parked processors have a vector to wake up by.

use core::arch::{asm, global_asm};

use super::processor;
use super::serial::say;

/// The vector of a parked processor's timer.
pub const WAKE: u8 = 0x20;

const CODE: u64 = 0x28;
/// Present, ring 0, interrupt gate.
const GATE: u64 = 0x8e00;
const STUB_LENGTH: usize = 16;
const FAULTS: usize = 32;
const VECTORS: usize = 256;

unsafe extern "C" {
    fn fault_stubs();
    fn wake_stub();
}

static mut TABLE: [[u64; 2]; VECTORS] = [[0; 2]; VECTORS];

#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// Fills the table and loads it.
pub fn install() {
    let table = &raw mut TABLE;
    let faults = fault_stubs as *const () as usize;
    for vector in 0..FAULTS {
        // SAFETY: one processor runs, and it takes no interrupt before the table is loaded.
        unsafe { (*table)[vector] = gate(faults + vector * STUB_LENGTH) };
    }
    // SAFETY: as above.
    unsafe { (*table)[usize::from(WAKE)] = gate(wake_stub as *const () as usize) };
    load();
}

/// Loads the table on this processor.
pub fn load() {
    let pointer = Pointer {
        limit: (size_of::<[[u64; 2]; VECTORS]>() - 1) as u16,
        base: (&raw const TABLE).addr() as u64,
    };
    // SAFETY: the table lives as long as the loader and is not written any more.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack, preserves_flags)) };
}

fn gate(handler: usize) -> [u64; 2] {
    let handler = handler as u64;
    let low = (handler & 0xffff) | CODE << 16 | GATE << 32 | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}

global_asm!(
    r#"
    .text
    .balign 16
    .globl fault_stubs
fault_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    pushq $vector
    jmp fault_common
    .set vector, vector + 1
    .endr
    .balign 16
fault_common:
    movq %rsp, %rdi
    andq $-16, %rsp
    call fault_main
    ud2

    # The end of the interrupt is told by who woke up.
    .globl wake_stub
wake_stub:
    iretq
    "#,
    options(att_syntax)
);

/// Says which fault it was, and stops. `frame` points at the vector that the stub pushed, above what the processor pushed.
#[unsafe(no_mangle)]
extern "C" fn fault_main(frame: *const u64) -> ! {
    // SAFETY: the stub passes its stack pointer; vector, error code if there is one, and the return address lie there.
    let (vector, address) = unsafe {
        let vector = frame.read();
        let has_code = matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30);
        (vector, frame.add(if has_code { 2 } else { 1 }).read())
    };
    say(format_args!(
        "internal error: fault {vector} at {address:#x}, address {:#x}",
        processor::fault_address()
    ));
    processor::stop()
}
