//! `EntropySink`: random bytes of devices, for what `EntropySource` gives.

use super::{Call, Outcome};
use capos_abi::ExceptionCode;
use capos_entropy::Pool;
use capos_schema::entropy_sink::FeedParams;
use kernel_hal::order::LockRank;
use kernel_hal::sync::Lock;

/// What was fed. Locked for a few hashes of one or two blocks, by whoever pays for them with its time.
pub(super) static POOL: Lock<Pool> = Lock::new(LockRank::Device, Pool::new());

/// The right to feed it.
#[derive(Clone)]
pub(crate) struct EntropySink;

impl EntropySink {
    pub(super) fn feed(&self, _: &mut Call<'_>, params: FeedParams<'_>) -> Outcome {
        let Ok(bytes) = params.data.try_into() else {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        };
        POOL.lock().feed(bytes);
        Outcome::EMPTY
    }
}
