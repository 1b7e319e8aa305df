//! The object behind `Gate`: notes how it was called.

use super::{Call, Outcome};
use capos_abi::ExceptionCode;
use capos_schema::gate::{AddParams, LabelParams, SayParams};

#[derive(Clone)]
pub(super) struct Gate;

impl Gate {
    pub(super) fn plain(&self, call: &mut Call<'_>) -> Outcome {
        call.note("plain");
        Outcome::Done
    }

    pub(super) fn add(&self, call: &mut Call<'_>, params: AddParams) -> Outcome {
        call.note(format!("{} + {}", params.left, params.right));
        Outcome::PENDING
    }

    pub(super) fn say(&self, call: &mut Call<'_>, params: SayParams<'_>) -> Outcome {
        call.note(params.text);
        Outcome::exception(ExceptionCode::Denied)
    }

    pub(super) fn take(&self, call: &mut Call<'_>) -> Outcome {
        call.note("take");
        Outcome::Done
    }

    pub(super) fn label(&self, call: &mut Call<'_>, params: LabelParams<'_>) -> Outcome {
        call.note(params.name);
        Outcome::Done
    }
}
