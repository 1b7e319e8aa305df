//! `Endpoint`: the receive right as a kernel object.

use super::{Call, Object, Outcome};
use crate::ipc::endpoint;
use capos_abi::ExceptionCode;
use capos_schema::endpoint::{MintParams, MintResults};

/// The interface is that of the right to receive.
pub(crate) use crate::ipc::endpoint::ReceiveRight as Endpoint;

impl Endpoint {
    pub(super) fn mint(&self, call: &mut Call<'_>, params: MintParams) -> Outcome {
        let Ok(facet) = endpoint::Endpoint::mint(&self.endpoint, params.badge, params.interface) else {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        };
        match call.give_facet(Object::Client(facet)) {
            Ok(()) => call.reply(&MintResults),
            Err(outcome) => outcome,
        }
    }
}
