//! Random bytes from RDRAND, watched for failure. There is no substitute: without the instruction there are none.

use super::cpu::probe::features;
use crate::order::LockRank;
use crate::pure::health::Health;
use crate::sync::Lock;
use crate::types::EntropyError;
use core::arch::asm;

static HEALTH: Lock<Health> = Lock::new(LockRank::Device, Health::new());
/// Attempts that Intel recommends before the source is given up (DRNG guide, 5.2.1).
const TRIES: u32 = 10;
const WORD: usize = 8;

fn attempt() -> Option<u64> {
    let (value, carry): (u64, u8);
    // SAFETY: CPUID reported the instruction.
    unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) carry, options(nomem, nostack)) };
    (carry != 0).then_some(value)
}

/// Fills `out`.
pub fn fill(out: &mut [u8]) -> Result<(), EntropyError> {
    if !features().rdrand {
        return Err(EntropyError::Absent);
    }
    let mut health = HEALTH.lock();
    for chunk in out.chunks_mut(WORD) {
        let sample = (0..TRIES).find_map(|_| attempt()).ok_or(EntropyError::Unhealthy)?;
        if !health.accept(sample) {
            return Err(EntropyError::Unhealthy);
        }
        for (to, from) in chunk.iter_mut().zip(sample.to_le_bytes()) {
            *to = from;
        }
    }
    Ok(())
}
