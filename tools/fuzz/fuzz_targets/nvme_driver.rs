//! The driver's side of NVMe against a device that says what it likes: registers, answers about itself, completions, and any byte that it may write.
//!
//! Input: what both do; see `nvme::liar` of the fakes.
#![no_main]

use fakes::nvme::liar::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    play(bytes);
});
