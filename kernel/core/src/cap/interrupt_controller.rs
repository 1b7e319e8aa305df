//! `InterruptController`: hands the legacy interrupt lines out.

use super::interrupt::{ClaimError, Interrupt};
use super::{Call, Object, Outcome};
use capos_abi::ExceptionCode;
use capos_schema::interrupt_controller::{IsaParams, IsaResults};
use kernel_hal::IrqError;

/// The right to claim lines.
#[derive(Clone)]
pub(crate) struct InterruptController;

impl InterruptController {
    pub(super) fn isa(&self, call: &mut Call<'_>, params: IsaParams) -> Outcome {
        let interrupt = match Interrupt::isa(params.line) {
            Ok(interrupt) => interrupt,
            Err(ClaimError::Line(IrqError::NotFound)) => return Outcome::exception(ExceptionCode::NotFound),
            Err(ClaimError::Line(IrqError::Taken)) => return Outcome::exception(ExceptionCode::Exists),
            Err(ClaimError::OutOfMemory | ClaimError::Line(IrqError::NoMemory)) => {
                return Outcome::exception(ExceptionCode::OutOfMemory);
            }
        };
        match call.give_facet(Object::Interrupt(interrupt)) {
            Ok(()) => call.reply(&IsaResults),
            Err(outcome) => outcome,
        }
    }
}
