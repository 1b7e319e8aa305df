//! The device manager: who drives which function, and what came from it.
//!
//! A function that is claimed has a [`function::Function`], which holds the ledger's record, the policy of its class, and everything that was
//! given out of it. What a driver holds of it (windows, interrupts, buffers, queues) names the function and a generation, and asks here each
//! time. There is one way in which everything is taken back ([`teardown`]), whatever the reason.

pub(crate) mod audit;
pub(crate) mod buffers;
pub(crate) mod class;
mod commands;
pub(crate) mod config;
pub(crate) mod demand;
pub(crate) mod function;
pub(crate) mod history;
mod in_place;
pub(crate) mod memory;
mod placed;
pub(crate) mod proof;
pub(crate) mod queue;
pub(crate) mod quiet;
pub(crate) mod registry;
mod ring;
pub(crate) mod slots;
pub(crate) mod storm;
pub(crate) mod teardown;
pub(crate) mod translation;
pub(crate) mod vectors;
pub(crate) mod windows;
pub(crate) mod wire;

use capos_abi::ExceptionCode;
use capos_ledger::Refusal;

/// Why something was not done, in the caller's words.
pub(crate) type Refused = ExceptionCode;

/// What the caller is told when the ledger refuses.
pub(crate) fn refusal(refusal: Refusal) -> ExceptionCode {
    match refusal {
        Refusal::Taken => ExceptionCode::Exists,
        Refusal::NotQuiet | Refusal::NotClaimed => ExceptionCode::WrongState,
        Refusal::Gone | Refusal::Stale => ExceptionCode::Disconnected,
    }
}
