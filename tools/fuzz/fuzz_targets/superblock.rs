//! Superblocks whose checksum is right, and whose record is the input: mounted and used, or refused.
#![no_main]

use fakes::volume::{Image, exercise, sound};
use libfuzzer_sys::fuzz_target;
use std::cell::OnceCell;

thread_local! {
    static SOUND: OnceCell<Image> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    let image = SOUND.with(|sound_one| sound_one.get_or_init(sound).clone());
    image.set_record(0, bytes);
    image.set_record(255, &[]);
    exercise(&image);
});
