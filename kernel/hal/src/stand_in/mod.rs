//! Stands in for those rooms of the real machine that `x86/iommu` and messages ask, so that what these tell a unit is tested on the host: memory is the
//! host's, and behind the window to registers is a unit that writes down what it is told.

mod controller;
#[path = "../x86/dma.rs"]
#[expect(dead_code, reason = "no device is told of it here")]
mod dma;
mod iommu;
#[path = "../x86/irq.rs"]
#[expect(dead_code, reason = "no interrupt fires here")]
mod irq;
#[path = "../x86/message.rs"]
mod message;
mod routes;
mod unit;
mod vm;
mod words;

/// The I/O interrupt controllers.
#[path = "../x86/apic"]
pub mod apic {
    #[expect(dead_code, reason = "nothing is tried as at boot")]
    pub mod io;
}

/// Firmware, which has moved no line.
pub mod acpi {
    use super::apic::io::Trigger;

    /// None has a route of its own.
    pub fn isa_route(_irq: u8) -> Option<(u32, Trigger)> {
        None
    }
}

/// Time goes on whenever somebody looks.
pub mod time {
    use core::cell::Cell;
    use std::thread_local;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    /// A millisecond later than the last time.
    pub fn now_ns() -> u64 {
        NOW.replace(NOW.get() + 1_000_000)
    }
}

/// Processors: their ids are their numbers.
pub mod cpu {
    /// Which one this is.
    pub fn id() -> usize {
        0
    }

    /// The id of a processor.
    pub fn apic_id(cpu: usize) -> u32 {
        u32::try_from(cpu).expect("few processors")
    }
}

/// Vectors that the room knows.
pub mod traps {
    /// As on the machine.
    pub mod vectors {
        /// The first of lines.
        pub const IRQ: u8 = 0x30;
        /// One past the last of them.
        pub const IRQ_END: u8 = 0xf0;
        /// Faults.
        pub const IOMMU: u8 = 0xf3;
    }
}

/// Page tables, and windows to registers.
#[path = "../x86/paging"]
pub mod paging {
    #[expect(dead_code, reason = "the kernel's own tables are not tried here")]
    mod format;

    pub use format::{KERNEL_HALF, PAGE, Table, bits, index, span, table};

    /// The kernel's tables, of which there are none.
    pub mod kernel {
        /// Nothing.
        ///
        /// # Safety
        /// None is needed.
        pub unsafe fn share_kernel_half(_top: u64) {}
    }

    /// All windows show the one unit that the test's thread has, but for its interrupt controller's.
    pub mod mmio {
        use crate::x86::{controller, unit};

        /// Registers.
        #[derive(Clone, Copy)]
        pub struct Window(u64);

        impl Window {
            /// Reads 32 bits.
            pub fn read32(&self, register: usize) -> u32 {
                match self.0 {
                    controller::AT => controller::read(register),
                    _ => unit::read(register) as u32,
                }
            }

            /// Reads 64 bits.
            pub fn read64(&self, register: usize) -> u64 {
                unit::read(register)
            }

            /// Writes 32 bits.
            pub fn write32(&self, register: usize, value: u32) {
                match self.0 {
                    controller::AT => controller::write(register, value),
                    _ => unit::write(register, u64::from(value)),
                }
            }

            /// Writes 64 bits.
            pub fn write64(&self, register: usize, value: u64) {
                unit::write(register, value);
            }
        }

        /// A window.
        pub fn map(address: u64, _length: usize) -> Window {
            Window(address)
        }
    }
}

/// Memory: physical addresses are the host's.
pub mod mem {
    use super::paging::PAGE;
    use crate::account::Account;
    use crate::sync::Ref;
    use crate::types::MemError;

    /// What a device is given, or an address space shows: pages in pieces, and whether they are registers.
    pub struct Frames(pub alloc::vec::Vec<u64>, pub bool);

    impl Frames {
        /// Pages side by side, for nothing.
        pub fn for_device(pages: usize, _bits: u32, _payer: &Ref<Account>) -> Result<Ref<Frames>, MemError> {
            let first = phys::kernel_run(pages).ok_or(MemError::OutOfMemory)?;
            let all = (0..pages as u64).map(|page| first + page * PAGE).collect();
            Ref::try_new(Frames(all, false)).map_err(|_| MemError::OutOfMemory)
        }

        /// Whether they are memory for devices: all that there is here.
        pub fn is_for_device(&self) -> bool {
            !self.1
        }

        /// Whether they are registers.
        pub fn is_device(&self) -> bool {
            self.1
        }

        /// Never a boot module.
        pub fn is_read_only(&self) -> bool {
            false
        }

        /// How many pages.
        pub fn pages(&self) -> usize {
            self.0.len()
        }

        /// Where a page is, and how many are side by side from there on.
        pub fn locate(&self, page: usize) -> Option<(u64, usize)> {
            let rest = self.0.get(page..)?;
            let first = *rest.first()?;
            let follows = |(n, address): &(u64, &u64)| **address == first + n * PAGE;
            Some((first, (0..).zip(rest).take_while(follows).count()))
        }
    }

    /// Frames.
    pub mod phys {
        use super::PAGE;
        use core::ptr;
        use std::alloc::{Layout, alloc_zeroed};

        /// Where memory is.
        pub fn pointer(address: u64) -> *mut u8 {
            ptr::with_exposed_provenance_mut(usize::try_from(address).expect("64 bits"))
        }

        /// A page of zeroes. Units may remember it: it is never given back.
        pub fn kernel_frame() -> Option<u64> {
            kernel_run(1)
        }

        /// Stays.
        pub fn give_back_kernel_frame(_frame: u64) {}

        /// Pages side by side.
        pub fn kernel_run(pages: usize) -> Option<u64> {
            let layout = Layout::from_size_align(pages * PAGE as usize, PAGE as usize).ok()?;
            // SAFETY: the layout is not of size zero.
            let start = unsafe { alloc_zeroed(layout) };
            (!start.is_null()).then(|| start.expose_provenance() as u64)
        }

        /// They are made of zeroes.
        pub fn zero(_address: u64, _pages: u64) {}
    }

    /// Frames for tables.
    pub mod cache {
        /// One.
        pub fn take() -> Option<u64> {
            super::phys::kernel_frame()
        }

        /// Stays.
        pub fn give_back(_frame: u64) {}
    }
}
