//! From the entry code to the handlers of the kernel core.

use super::frame::{Frame, exception_name};
use super::vectors;
use crate::order;
use crate::types::Fault;
use crate::x86::cpu::local;
use crate::x86::panic::report_exception;
use crate::x86::{apic, debug, iommu, irq, start, time, user, vm};
use x86_64::registers::control::Cr2;

/// The current thread, or the idle CPU, was interrupted; or the thread raised an exception.
pub(super) extern "sysv64" fn capos_on_user_trap(vector: u64) {
    if vector >= vectors::EXCEPTIONS {
        on_interrupt(vector);
        return;
    }
    let address = match vector {
        vectors::PAGE_FAULT => Cr2::read_raw(),
        vectors::DEBUG => debug::take_causes(),
        _ => 0,
    };
    // SAFETY: we came from user mode, so there is a current context, and its owner is this CPU.
    let error_code = unsafe { (*local::this().context.get()).error_code };
    let vector = u8::try_from(vector).unwrap_or(u8::MAX);
    (start::handlers().fault)(Fault { vector, error_code, address });
}

/// Exceptions of kernel code are its bugs, and so are interrupts anywhere but in the idle loop.
pub(super) extern "sysv64" fn capos_on_kernel_trap(frame: &Frame) -> ! {
    report_exception(frame, exception_name(frame.vector))
}

fn on_interrupt(vector: u64) {
    match u8::try_from(vector).unwrap_or(vectors::SPURIOUS) {
        vectors::TIMER => {
            apic::end_of_interrupt();
            if time::expired() {
                (start::handlers().timer)();
            }
        }
        vectors::KICK => {
            apic::end_of_interrupt();
            user::refresh();
            if let Some(handlers) = start::try_handlers() {
                (handlers.kick)();
            }
        }
        vectors::FLUSH => {
            apic::end_of_interrupt();
            vm::flush::poll();
        }
        vectors::IOMMU => {
            apic::end_of_interrupt();
            iommu::on_fault();
        }
        vectors::APIC_ERROR => apic::end_of_interrupt(),
        line @ vectors::IRQ..vectors::IRQ_END => {
            let fired = order::without_global(|| irq::on_interrupt(line));
            apic::end_of_interrupt();
            if let Some(line) = fired {
                (start::handlers().irq)(line);
            }
        }
        // Spurious interrupts, of the local APIC or of the masked old controllers, are not acknowledged. What was tried at boot, or forged by a
        // device, is: else it would keep all less urgent ones from this processor.
        other if apic::is_in_service(other) => apic::end_of_interrupt(),
        _ => {}
    }
}
