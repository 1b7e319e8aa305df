//! `Endpoint`: the receive right as a kernel object.

use super::{Call, Object, Outcome};
use crate::ipc::endpoint::{Endpoint, ReceiveRight};
use capos_abi::ExceptionCode;
use capos_schema::endpoint::{MintParams, MintResults};

impl ReceiveRight {
    pub(super) fn mint(&self, call: &mut Call<'_>, params: MintParams) -> Outcome {
        let Ok(facet) = Endpoint::mint(&self.endpoint, params.badge, params.interface) else {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        };
        match call.give(Object::Client(facet)) {
            Ok(()) => call.reply(&MintResults),
            Err(outcome) => outcome,
        }
    }
}
