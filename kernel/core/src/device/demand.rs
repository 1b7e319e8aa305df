//! What the system demands of the machine before a device may reach memory, and what it answers for.

use super::Refused;
use super::windows::backend;
use capos_abi::ExceptionCode;
use capos_dma::class::Class;
use capos_ledger::Record;
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether an IOMMU has to be what keeps a device to what it was given.
static IOMMU: AtomicBool = AtomicBool::new(false);

/// Whether somebody answers for it that no device raises an interrupt that is not its own by writing where interrupts are. Units say that they
/// see to it; no way is known to try it without a device that does as it is told, and QEMU's do not.
static INTERRUPTS: AtomicBool = AtomicBool::new(false);

/// From now on it has to be. Nobody can take that back.
pub(crate) fn iommu() {
    IOMMU.store(true, Ordering::Relaxed);
}

/// Somebody does. Before any function is looked at.
pub(crate) fn trust_interrupts(trusted: bool) {
    INTERRUPTS.store(trusted, Ordering::Relaxed);
}

/// Whether drivers may name addresses to devices that an IOMMU was seen to keep from memory. Among them are those where interrupts are.
pub(super) fn drivers_may_name_addresses() -> bool {
    INTERRUPTS.load(Ordering::Relaxed)
}

/// Whether a function of that class may be somebody's.
pub(super) fn may_be_claimed(class: &Class, record: &Record) -> Result<(), Refused> {
    let past = !record.is_held() && IOMMU.load(Ordering::Relaxed);
    if past && class.may_have_dma(backend(record.backend())) { Err(ExceptionCode::Denied) } else { Ok(()) }
}

/// Whether it may reach memory: that is asked again, as an IOMMU may have stopped answering since.
pub(super) fn may_start(class: &Class, record: &Record) -> Result<(), Refused> {
    if !class.may_have_dma(backend(record.backend())) {
        return Err(ExceptionCode::Unsupported);
    }
    may_be_claimed(class, record)
}

#[cfg(test)]
pub(super) fn forget() {
    IOMMU.store(false, Ordering::Relaxed);
    trust_interrupts(true);
}
