//! A driver that writes anything at any time, an adapter that writes its descriptors back as it likes, and whose every byte is.
//!
//! Input: what they do; see `world::e1000e` of capos-dma.
#![no_main]

use capos_dma::world::e1000e::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| play(bytes));
