//! What the system demands of the machine before a device may reach memory.

use super::Refused;
use capos_abi::ExceptionCode;
use capos_dma::class::Class;
use capos_ledger::Backend;
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether an IOMMU has to be what keeps a device to what it was given.
static IOMMU: AtomicBool = AtomicBool::new(false);

/// From now on it has to be. Nobody can take that back.
pub(crate) fn iommu() {
    IOMMU.store(true, Ordering::Relaxed);
}

/// Whether a function of that class may be somebody's.
pub(super) fn may_be_claimed(class: &Class, backend: Backend) -> Result<(), Refused> {
    let past = backend == Backend::Bounce && IOMMU.load(Ordering::Relaxed);
    if past && class.may_have_dma(super::windows::backend(backend)) {
        Err(ExceptionCode::Denied)
    } else {
        Ok(())
    }
}

/// Whether it may reach memory: that is asked again, as an IOMMU may have stopped answering since.
pub(super) fn may_start(class: &Class, backend: Backend) -> Result<(), Refused> {
    if !class.may_have_dma(super::windows::backend(backend)) {
        return Err(ExceptionCode::Unsupported);
    }
    may_be_claimed(class, backend)
}

#[cfg(test)]
pub(super) fn forget() {
    IOMMU.store(false, Ordering::Relaxed);
}
