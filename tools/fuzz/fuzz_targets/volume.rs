//! Volumes of which some bytes are anything, and all checksums are right: mounted and used, or refused.
//!
//! Input: pieces of four bytes: which block that is in use, where in it (two bytes), which byte.
#![no_main]

use fakes::volume::{Image, exercise, sound};
use libfuzzer_sys::fuzz_target;
use std::cell::OnceCell;

thread_local! {
    static SOUND: OnceCell<Image> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    let image = SOUND.with(|sound_one| sound_one.get_or_init(sound).clone());
    for [block, low, high, byte] in bytes.as_chunks().0.iter().take(64) {
        let block = image.used()[usize::from(*block) % image.used().len()];
        image.spoil(block, usize::from(u16::from_le_bytes([*low, *high])) % 4096, *byte);
        image.reseal(block);
    }
    exercise(&image);
});
