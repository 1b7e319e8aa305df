//! How a device's addresses become memory.
//!
//! With an IOMMU a function reaches what its domain shows, from the moment that it has a pool. As long as nobody has seen that the
//! device's addresses go through it, what the device is told is safe either way: the domain shows each buffer where it lies, so the device finds
//! it with the IOMMU and without. That is how it stays where drivers are not to name addresses themselves, as the IOMMU lets interrupts be
//! forged. But where they are to, rings, and memory for the proof, are shown where something else lies: a decoy, which nobody uses. What the
//! device does through the IOMMU happens in what the kernel looks at, and what it does past it in the decoy.

use super::Refused;
use super::memory::Memory;
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_ledger::Backend;
use kernel_hal::IommuError;
use kernel_hal::account::Account;
use kernel_hal::iommu::{self, Domain};
use kernel_hal::sync::Ref;

/// Where a device finds its memory.
pub(crate) enum Translation {
    /// Where it lies.
    Nothing,
    /// Where it lies, and if its addresses go through the IOMMU there is nothing else.
    Confined(Domain),
    /// The same, but for decoys: it is to be seen whether the IOMMU translates.
    Unproven(Domain),
    /// Where its token says.
    Tokens(Domain),
}

fn refused(error: IommuError) -> Refused {
    match error {
        IommuError::Absent | IommuError::Taken => ExceptionCode::Unsupported,
        IommuError::InvalidArgument | IommuError::Exists | IommuError::NotFound => {
            ExceptionCode::InvalidArgument
        }
        IommuError::OutOfMemory => ExceptionCode::OutOfMemory,
        IommuError::BudgetExhausted => ExceptionCode::BudgetExhausted,
        IommuError::Unresponsive => ExceptionCode::Failed,
    }
}

impl Translation {
    /// For a function whose addresses have `bits` bits. `account` pays for its tables.
    pub fn new(backend: Backend, function: u32, bits: u32, account: &Ref<Account>) -> Result<Self, Refused> {
        if backend == Backend::Bounce && !iommu::serves(function) {
            return Ok(Translation::Nothing);
        }
        let domain = || {
            let mut domain = Domain::new(function, bits, account).map_err(refused)?;
            domain.attach().map_err(refused)?;
            Ok(domain)
        };
        match backend {
            Backend::Bounce => domain().map(Translation::Confined),
            Backend::Unproven => domain().map(Translation::Unproven),
            Backend::Direct => domain().map(Translation::Tokens),
        }
    }

    /// The device finds `memory`, whose token is `token`.
    pub fn show(&mut self, token: u64, memory: &Memory) -> Result<(), Refused> {
        match self {
            Translation::Nothing => Ok(()),
            Translation::Confined(domain) | Translation::Unproven(domain) => {
                domain.map(memory.physical(), memory.frames(), true)
            }
            Translation::Tokens(domain) => domain.map(token, memory.frames(), true),
        }
        .map_err(refused)
    }

    /// It does not any more.
    pub fn hide(&mut self, token: u64, memory: &Memory) -> Result<(), Refused> {
        match self {
            Translation::Nothing => Ok(()),
            Translation::Confined(domain) | Translation::Unproven(domain) => {
                domain.unmap(memory.physical()).map(drop)
            }
            Translation::Tokens(domain) => domain.unmap(token).map(drop),
        }
        .map_err(refused)
    }

    /// The device finds `memory` where `decoy` lies, if its addresses go through the IOMMU.
    pub fn show_instead(&mut self, decoy: &Memory, memory: &Memory) -> Result<(), Refused> {
        match self {
            Translation::Unproven(domain) => {
                domain.map(decoy.physical(), memory.frames(), true).map_err(refused)
            }
            Translation::Nothing | Translation::Confined(_) | Translation::Tokens(_) => {
                Err(ExceptionCode::Unsupported)
            }
        }
    }

    /// It does not any more.
    pub fn hide_instead(&mut self, decoy: &Memory) {
        if let Translation::Unproven(domain) = self {
            // If the IOMMU does not say so it keeps the frames for ever.
            let _ = domain.unmap(decoy.physical());
        }
    }

    fn domain(&self) -> Option<&Domain> {
        match self {
            Translation::Nothing => None,
            Translation::Confined(domain) | Translation::Unproven(domain) | Translation::Tokens(domain) => {
                Some(domain)
            }
        }
    }

    /// The device finds nothing any more. False when the IOMMU does not say so.
    pub fn block(&mut self) -> bool {
        match self {
            Translation::Nothing => true,
            Translation::Confined(domain) | Translation::Unproven(domain) | Translation::Tokens(domain) => {
                domain.detach().is_ok()
            }
        }
    }

    /// Whether the IOMMU's own tables lead from the device to these; `None` without one.
    pub fn is_in_place(&self) -> Option<bool> {
        self.domain().map(Domain::is_in_place)
    }

    /// Pages that the device finds, by the IOMMU's own tables; `None` without one.
    pub fn pages(&self) -> Option<u64> {
        self.domain().map(Domain::pages)
    }

    /// Whether the IOMMU's own tables say that the device finds all of `memory`, whose token is `token`.
    pub fn shows(&self, token: u64, memory: &Memory) -> bool {
        self.shows_at(if self.is_direct() { token } else { memory.physical() }, memory)
    }

    /// The same of `memory` that is at `at` for the device.
    pub fn shows_at(&self, at: u64, memory: &Memory) -> bool {
        let Some(domain) = self.domain() else { return true };
        let is_at = |page: usize| domain.shows(at + (page * PAGE_SIZE) as u64, memory.frames(), page);
        (0..memory.pages()).all(is_at)
    }

    /// Whether it is still to be seen that the IOMMU translates.
    pub fn is_unproven(&self) -> bool {
        matches!(self, Translation::Unproven(_))
    }

    /// Whether the device uses tokens.
    pub fn is_direct(&self) -> bool {
        matches!(self, Translation::Tokens(_))
    }
}
