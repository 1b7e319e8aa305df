//! The core of the driver of Intel's adapter against one that writes back what it likes, and says what it likes in registers.
//!
//! Input: what both do; see `e1000e::liar` of the fakes. What the driver says is over was under way, once, and is within its buffer; after a fault nothing is taken or given.
#![no_main]

use fakes::e1000e::liar::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| play(bytes));
