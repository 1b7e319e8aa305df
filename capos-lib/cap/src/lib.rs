//! Capabilities (architecture section 4): the table of a process, transfers between tables, and who was derived from whom.
//!
//! Pure and generic over what a capability stands for. The kernel locks a table; nothing here does. Nothing here drops an object
//! that it was given either: whatever leaves a table is handed to the caller, who lets go of it after unlocking, since dropping
//! the last reference to a kernel object may run much code.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod derivation;
pub mod table;
pub mod transfer;

pub use derivation::{Gone, Inspection, Next, Node, NodeId, Nodes, Origin, Place, Tree, TreeError};
pub use table::{Entry, Mobility, Refused, Table, TableError};
pub use transfer::{Lineage, TransferError, transfer, transfer_within};

#[cfg(test)]
mod authority;
