//! A driver that writes anything at any time, a device that follows what it finds in its split virtqueue, and whose every byte is.
//!
//! Input: what they do; see `world::virtq` of capos-dma.
#![no_main]

use capos_dma::world::virtq::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| play(bytes));
