//! `InterruptController`: hands the legacy interrupt lines out.

use super::interrupt::Interrupt;
use super::{Call, Object, Outcome};
use capos_schema::interrupt_controller::{IsaParams, IsaResults};

/// The right to claim lines.
#[derive(Clone)]
pub(crate) struct InterruptController;

impl InterruptController {
    pub(super) fn isa(&self, call: &mut Call<'_>, params: IsaParams) -> Outcome {
        let interrupt = match Interrupt::isa(params.line) {
            Ok(interrupt) => interrupt,
            Err(error) => return Outcome::exception(error.code()),
        };
        call.reply_with_facet(Object::Interrupt(interrupt), &IsaResults)
    }
}
