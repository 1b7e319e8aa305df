//! `EntropySource`: random bytes from the processor, or an error.

use super::{Call, Outcome};
use capos_abi::ExceptionCode;
use capos_schema::entropy_source::{FillParams, FillResults};
use kernel_hal::{EntropyError, entropy};

/// Most bytes of one call.
const FILL_MAX: usize = 1024;

/// The processor's source.
#[derive(Clone)]
pub(crate) struct EntropySource;

impl EntropySource {
    pub(super) fn fill(&self, call: &mut Call<'_>, params: FillParams) -> Outcome {
        let mut buffer = [0; FILL_MAX];
        let Some(data) = buffer.get_mut(..params.length as usize) else {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        };
        match entropy::fill(data) {
            Ok(()) => call.reply_large(&FillResults { data }),
            Err(EntropyError::Absent) => Outcome::exception(ExceptionCode::Unsupported),
            Err(EntropyError::Unhealthy) => Outcome::exception(ExceptionCode::DeviceFault),
        }
    }
}
