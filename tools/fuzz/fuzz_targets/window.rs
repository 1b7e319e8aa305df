//! Tables of registers, accesses and pages against a policy for every byte by itself. Input: see `world::window` of capos-dma.
#![no_main]

use capos_dma::world::window::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| play(bytes));
