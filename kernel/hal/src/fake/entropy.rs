//! Bytes that look random and are the same in every run, and in every call.

use crate::types::EntropyError;
use std::sync::{Mutex, PoisonError};

static FAILURE: Mutex<Option<EntropyError>> = Mutex::new(None);

/// From now on there are no bytes, for this reason; or there are again.
pub fn fail(why: Option<EntropyError>) {
    *FAILURE.lock().unwrap_or_else(PoisonError::into_inner) = why;
}

/// Fills `out`.
pub fn fill(out: &mut [u8]) -> Result<(), EntropyError> {
    if let Some(why) = *FAILURE.lock().unwrap_or_else(PoisonError::into_inner) {
        return Err(why);
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in out {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = state.to_le_bytes()[7];
    }
    Ok(())
}
