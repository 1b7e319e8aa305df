//! The manifest: which services a system has, what each may hold, and what each may use up.
//!
//! One model serves both ends. On the host it is read from the export of `system.cue` ([`export`]), checked ([`validate`]) and
//! written as a `SystemManifest` message ([`encode`]); at boot init reads the message ([`decode`]) and checks it again, because
//! what lies on the boot medium is not to be trusted. Every refusal says whose fault it is and where.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod arguments;
mod check;
mod device;
pub mod export;
mod facts;
mod generated;
mod issue;
mod model;
mod order;
pub mod suggest;
mod wire;

#[cfg(test)]
mod tests;

pub use arguments::{Claim, arguments, claims};
pub use check::{STARTUP_MAX, validate};
pub use device::{PciFunction, PciMatch};
pub use facts::{
    DEVMGR, DEVMGR_CLAIMS, Facts, INIT, KERNEL_OBJECTS, MOST_WAITS, POLICIES, RESERVED_PORTS, SUPERVISOR,
    SUPERVISOR_EXPORTS, SUPERVISOR_PAGES, VECTORS,
};
pub use issue::{Field, Issue, Place};
pub use model::{
    Backoff, Budget, Escalate, Export, Follow, Grant, Health, Iommu, Limit, Manifest, PanicAction, Restart,
    Service, Source,
};
pub use order::{Cycle, providers, start_order};
pub use wire::{ManifestError, decode, encode};
