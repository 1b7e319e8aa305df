//! The local APIC, in either mode, and the I/O APICs (Intel SDM volume 3, chapter 12; 82093AA).

use core::ptr;

use super::memory;
use super::processor::{self, Features, MSR_APIC_BASE};

const ENABLE: u64 = 1 << 11;
const ENABLE_X2APIC: u64 = 1 << 10;
const BASE_MASK: u64 = 0x000f_ffff_ffff_f000;
const X2APIC_MSRS: u32 = 0x800;

const ID: u32 = 0x20;
const END_OF_INTERRUPT: u32 = 0xb0;
const SPURIOUS: u32 = 0xf0;
const COMMAND: u32 = 0x300;
const COMMAND_HIGH: u32 = 0x310;
const TIMER: u32 = 0x320;
const TIMER_COUNT: u32 = 0x380;
const TIMER_DIVIDER: u32 = 0x3e0;

const COMMAND_INIT: u32 = 0x4500;
const COMMAND_STARTUP: u32 = 0x4600;
const COMMAND_PENDING: u32 = 1 << 12;
const SPURIOUS_DISABLED: u32 = 0xff;
const SPURIOUS_ENABLED: u32 = 0x1ff;
const TIMER_PERIODIC: u32 = 1 << 17;
const TIMER_MASKED: u32 = 1 << 16;
const DIVIDE_BY_ONE: u32 = 0xb;

/// This processor's local APIC.
#[derive(Clone, Copy)]
pub struct LocalApic {
    /// Whether it is in x2APIC mode.
    pub x2apic: bool,
    base: u64,
}

impl LocalApic {
    /// Switches the APIC on, in x2APIC mode if that is wanted and there, or if firmware already chose it.
    pub fn open(features: &Features, want_x2apic: bool) -> Option<Self> {
        if !features.apic {
            return None;
        }
        let before = processor::read_msr(MSR_APIC_BASE);
        let x2apic = before & ENABLE_X2APIC != 0 || (want_x2apic && features.x2apic);
        let mode = if x2apic { ENABLE | ENABLE_X2APIC } else { ENABLE };
        // SAFETY: both bits only choose how the APIC's registers are reached; nobody uses them yet.
        unsafe {
            // From off to x2APIC there is no direct way (section 12.12.5).
            processor::write_msr(MSR_APIC_BASE, before | ENABLE);
            processor::write_msr(MSR_APIC_BASE, before | mode);
        }
        Some(LocalApic { x2apic, base: before & BASE_MASK })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        if self.x2apic { self.read(ID) } else { self.read(ID) >> 24 }
    }

    /// Puts a processor into its reset state, where it waits for a start.
    pub fn send_init(&self, target: u32) {
        self.send(target, COMMAND_INIT);
    }

    /// Starts a waiting processor in real mode at a page below 1 MiB.
    pub fn send_startup(&self, target: u32, page: u64) {
        self.send(target, COMMAND_STARTUP | (page >> 12) as u32 & 0xff);
    }

    /// Interrupts by `vector` each time when `count` ticks have passed.
    pub fn start_timer(&self, vector: u8, count: u32) {
        self.write(SPURIOUS, SPURIOUS_ENABLED);
        self.write(TIMER_DIVIDER, DIVIDE_BY_ONE);
        self.write(TIMER, TIMER_PERIODIC | u32::from(vector));
        self.write(TIMER_COUNT, count);
    }

    /// Stops the timer.
    pub fn stop_timer(&self) {
        self.write(TIMER, TIMER_MASKED);
        self.write(TIMER_COUNT, 0);
    }

    /// Back to what a reset leaves.
    pub fn close(&self) {
        self.write(SPURIOUS, SPURIOUS_DISABLED);
    }

    /// Tells that an interrupt has been dealt with.
    pub fn end_of_interrupt(&self) {
        self.write(END_OF_INTERRUPT, 0);
    }

    fn send(&self, target: u32, command: u32) {
        if self.x2apic {
            // SAFETY: the register exists in this mode.
            unsafe {
                processor::write_msr(
                    X2APIC_MSRS + COMMAND / 16,
                    u64::from(target) << 32 | u64::from(command),
                );
            }
            return;
        }
        self.write(COMMAND_HIGH, target << 24);
        self.write(COMMAND, command);
        while self.read(COMMAND) & COMMAND_PENDING != 0 {
            core::hint::spin_loop();
        }
    }

    fn read(&self, register: u32) -> u32 {
        if self.x2apic {
            return processor::read_msr(X2APIC_MSRS + register / 16) as u32;
        }
        // SAFETY: the direct map covers the register page, which lies below 4 GiB.
        unsafe { ptr::read_volatile(self.place(register)) }
    }

    fn write(&self, register: u32, value: u32) {
        if self.x2apic {
            // SAFETY: the registers used here exist in this mode.
            unsafe { processor::write_msr(X2APIC_MSRS + register / 16, u64::from(value)) };
        } else {
            // SAFETY: as for `read`.
            unsafe { ptr::write_volatile(self.place(register), value) }
        }
    }

    fn place(&self, register: u32) -> *mut u32 {
        memory::pointer(self.base + u64::from(register)).cast()
    }
}

/// Masks the lines of an I/O APIC that would interrupt: "only those with delivery mode fixed or lowest priority" (PROTOCOL.md).
pub fn mask_io_apic(address: u32) {
    const VERSION: u32 = 1;
    const ENTRIES: u32 = 0x10;
    const MASKED: u32 = 1 << 16;
    let last = io_read(address, VERSION) >> 16 & 0xff;
    for line in 0..=last {
        let entry = io_read(address, ENTRIES + 2 * line);
        if entry >> 8 & 7 <= 1 {
            io_write(address, ENTRIES + 2 * line, entry | MASKED);
        }
    }
}

fn io_read(address: u32, register: u32) -> u32 {
    let select: *mut u32 = memory::pointer(u64::from(address)).cast();
    // SAFETY: the MADT names an I/O APIC here; its two registers are 16 bytes apart, below 4 GiB and so in the direct map.
    unsafe {
        ptr::write_volatile(select, register);
        ptr::read_volatile(select.byte_add(0x10))
    }
}

fn io_write(address: u32, register: u32, value: u32) {
    let select: *mut u32 = memory::pointer(u64::from(address)).cast();
    // SAFETY: as for `io_read`.
    unsafe {
        ptr::write_volatile(select, register);
        ptr::write_volatile(select.byte_add(0x10), value);
    }
}
