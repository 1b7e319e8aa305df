//! A driver that writes anything at any time, a controller that does what its queues say, and whose every byte is.
//!
//! Input: what they do; see `world::nvme` of capos-dma.
#![no_main]

use capos_dma::world::nvme::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| play(bytes));
