//! `Endpoint`: the receive right as a kernel object.

use super::{Call, Object, Outcome};
use crate::ipc::endpoint::{self, MintError};
use capos_abi::ExceptionCode;
use capos_schema::endpoint::{MintParams, MintResults};

/// The interface is that of the right to receive.
pub(crate) use crate::ipc::endpoint::ReceiveRight as Endpoint;

impl Endpoint {
    pub(super) fn mint(&self, call: &mut Call<'_>, params: MintParams) -> Outcome {
        let facet = match endpoint::Endpoint::mint(&self.endpoint, params.badge, params.interface) {
            Ok(facet) => facet,
            Err(MintError::Unheard) => return Outcome::exception(ExceptionCode::BudgetExhausted),
            Err(MintError::OutOfMemory) => return Outcome::exception(ExceptionCode::OutOfMemory),
        };
        match call.give_facet(Object::Client(facet.clone())) {
            Ok(()) => {
                facet.given();
                call.reply(&MintResults)
            }
            Err(outcome) => outcome,
        }
    }
}
