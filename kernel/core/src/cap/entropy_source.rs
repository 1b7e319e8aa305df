//! `EntropySource`: random bytes from the processor under a mask from the pool, or an error.
//!
//! Bytes of devices are worth nothing here until somebody shows that the processor's are worth less: they are never counted, and without the
//! processor there is no answer.

use super::{Call, Outcome, entropy_sink};
use capos_abi::ExceptionCode;
use capos_schema::entropy_source::{FedResults, FillParams, FillResults};
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
        match fill(data) {
            Ok(()) => call.reply_large(&FillResults { data }),
            Err(EntropyError::Absent) => Outcome::exception(ExceptionCode::Unsupported),
            Err(EntropyError::Unhealthy) => Outcome::exception(ExceptionCode::DeviceFault),
        }
    }

    pub(super) fn fed(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&FedResults { times: entropy_sink::POOL.lock().fed() })
    }
}

/// The pool is locked while a mask is drawn; the rest is the caller's own business.
fn fill(data: &mut [u8]) -> Result<(), EntropyError> {
    let mut fresh = [0; capos_entropy::KEY];
    entropy::fill(&mut fresh)?;
    entropy::fill(data)?;
    let mask = entropy_sink::POOL.lock().draw(&fresh);
    mask.apply(data);
    Ok(())
}
