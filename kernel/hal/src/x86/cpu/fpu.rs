//! Vector and x87 state of user threads.
//!
//! The kernel itself is compiled without vector registers, so they keep the user's values while it runs and need saving only
//! when the CPU turns to another thread. A thread that was interrupted gets its registers back exactly. A thread that made a
//! system call gave them up (see `capos_abi::syscall`): it gets clean ones, and only its control words are carried over. No
//! thread ever sees another's registers.

use super::probe::features;
use crate::sync::OutOfMemory;
use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Alignment that XSAVE asks for.
const ALIGN: usize = 64;
/// Size of the FXSAVE area.
const LEGACY_SIZE: usize = 512;
const CLEAN_SIZE: usize = 4096;
/// Values after power-on: all exceptions masked.
const X87_CONTROL: u16 = 0x037f;
const MXCSR: u32 = 0x1f80;

/// Components to save and restore by XSAVE; 0 where FXSAVE has to do.
static MASK: AtomicU32 = AtomicU32::new(0);
static SIZE: AtomicUsize = AtomicUsize::new(LEGACY_SIZE);

#[repr(C, align(64))]
struct Clean([u8; CLEAN_SIZE]);

/// An image of untouched registers: only the two control words differ from zero. With XSTATE_BV zero XRSTOR initialises every
/// component and takes just MXCSR from memory (Intel SDM vol. 1, 13.8).
static CLEAN: Clean = {
    let mut bytes = [0; CLEAN_SIZE];
    [bytes[0], bytes[1]] = X87_CONTROL.to_le_bytes();
    [bytes[24], bytes[25], bytes[26], bytes[27]] = MXCSR.to_le_bytes();
    Clean(bytes)
};

/// Chooses the method and learns the size. After `control::init` on the boot CPU: the size depends on XCR0.
pub fn init() {
    let found = features();
    if found.xsave {
        SIZE.store(__cpuid_count(13, 0).ebx as usize, Ordering::Relaxed);
        MASK.store(found.xsave_mask, Ordering::Relaxed);
    }
}

/// One thread's vector state. Used only by the CPU that owns the thread at the time.
pub struct VectorState {
    area: NonNull<u8>,
    valid: Cell<bool>,
    x87_control: Cell<u16>,
    mxcsr: Cell<u32>,
}

// SAFETY: the area belongs to the thread's context, which at most one CPU owns at a time (`UserContext::enter`).
unsafe impl Send for VectorState {}
// SAFETY: as above.
unsafe impl Sync for VectorState {}

impl VectorState {
    /// Clean registers.
    pub fn new() -> Result<Self, OutOfMemory> {
        // SAFETY: the size is never zero.
        let area = NonNull::new(unsafe { alloc_zeroed(Self::layout()) }).ok_or(OutOfMemory)?;
        Ok(VectorState {
            area,
            valid: Cell::new(false),
            x87_control: Cell::new(X87_CONTROL),
            mxcsr: Cell::new(MXCSR),
        })
    }

    fn layout() -> Layout {
        Layout::from_size_align(SIZE.load(Ordering::Relaxed), ALIGN).unwrap_or(Layout::new::<Clean>())
    }

    /// Keeps everything: the thread was interrupted.
    pub fn save_all(&self) {
        self.valid.set(true);
        let area = self.area.as_ptr();
        // SAFETY: the area is as large and aligned as the instruction needs; CPUID reported the instruction.
        unsafe {
            match MASK.load(Ordering::Relaxed) {
                0 => asm!("fxsave64 [{}]", in(reg) area, options(nostack)),
                mask => asm!("xsaveopt64 [{}]", in(reg) area, in("eax") mask, in("edx") 0, options(nostack)),
            }
        }
    }

    /// Keeps the control words: the thread made a system call.
    #[inline]
    pub fn save_control(&self) {
        self.valid.set(false);
        // SAFETY: stores two words to this structure.
        unsafe {
            asm!(
                "stmxcsr [{this} + {mxcsr}]",
                "fnstcw [{this} + {x87}]",
                this = in(reg) self,
                mxcsr = const offset_of!(VectorState, mxcsr),
                x87 = const offset_of!(VectorState, x87_control),
                options(nostack, preserves_flags)
            );
        }
    }

    /// Gives the thread what it is entitled to.
    #[inline]
    pub fn load(&self) {
        if self.valid.get() {
            restore(self.area.as_ptr());
            return;
        }
        restore(CLEAN.0.as_ptr());
        // SAFETY: both words came from these very registers, or are the power-on values.
        unsafe {
            asm!(
                "ldmxcsr [{this} + {mxcsr}]",
                "fldcw [{this} + {x87}]",
                this = in(reg) self,
                mxcsr = const offset_of!(VectorState, mxcsr),
                x87 = const offset_of!(VectorState, x87_control),
                options(nostack, readonly, preserves_flags)
            );
        }
    }
}

#[inline]
fn restore(image: *const u8) {
    // SAFETY: the image was written by the matching save instruction, or is the constant one.
    unsafe {
        match MASK.load(Ordering::Relaxed) {
            0 => asm!("fxrstor64 [{}]", in(reg) image, options(nostack)),
            mask => asm!("xrstor64 [{}]", in(reg) image, in("eax") mask, in("edx") 0, options(nostack)),
        }
    }
}

impl Drop for VectorState {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`; the size does not change after boot.
        unsafe { dealloc(self.area.as_ptr(), Self::layout()) };
    }
}
