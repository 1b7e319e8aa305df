//! Exceptions and interrupts: one table for all CPUs.

pub(super) mod dispatch;
pub(super) mod entry;
pub(super) mod frame;
pub(super) mod paranoid;
pub(super) mod vectors;

use super::cpu::tables::{KERNEL_CODE, ist};
use core::cell::UnsafeCell;
use entry::{STUB_SIZE, capos_trap_stubs};
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

const VECTORS: usize = 256;
/// Present, 64-bit interrupt gate.
const GATE: u64 = 0x8e00;
/// User code may raise it: INT3.
const FROM_USER: u64 = 0x6000;
const BREAKPOINT: u64 = 3;

#[repr(C, align(4096))]
struct Table(UnsafeCell<[[u64; 2]; VECTORS]>);

// SAFETY: written once by the boot CPU before any other runs, then only read by the processors.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([[0; 2]; VECTORS]));

/// One gate (Intel SDM vol. 3, figure 6-8).
fn gate(vector: u64, handler: u64) -> [u64; 2] {
    let stack = match vector {
        1 => u64::from(ist::DEBUG) + 1,
        2 => u64::from(ist::NMI) + 1,
        8 => u64::from(ist::DOUBLE_FAULT) + 1,
        18 => u64::from(ist::MACHINE_CHECK) + 1,
        _ => 0,
    };
    let ring = if vector == BREAKPOINT { FROM_USER } else { 0 };
    let low = (handler & 0xffff)
        | u64::from(KERNEL_CODE) << 16
        | stack << 32
        | (GATE | ring) << 32
        | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}

/// Fills the table. On the boot CPU, once.
pub(super) fn init() {
    let stubs = capos_trap_stubs as *const () as u64;
    // SAFETY: nobody else runs yet.
    let table = unsafe { &mut *TABLE.0.get() };
    for (entry, vector) in table.iter_mut().zip(0..) {
        *entry = gate(vector, stubs + vector * STUB_SIZE);
    }
}

/// Makes this CPU use the table.
pub(super) fn load() {
    let limit = u16::try_from(size_of::<Table>() - 1).unwrap_or(u16::MAX);
    // SAFETY: the table is complete and static; each gate leads to a stub in traps/entry.rs.
    unsafe { lidt(&DescriptorTablePointer { limit, base: VirtAddr::from_ptr(&TABLE) }) };
}
