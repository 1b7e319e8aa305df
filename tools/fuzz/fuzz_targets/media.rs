//! FAT and ISO 9660 of which some bytes are anything: read whole, or refused.
//!
//! Input: which image, then pieces of five bytes: which of its sectors that have something and where in it (two bytes each), and which byte.
#![no_main]

use fakes::media::{Image, exercise, samples};
use libfuzzer_sys::fuzz_target;
use std::cell::OnceCell;

struct Sample {
    image: Image,
    used: Vec<u64>,
}

thread_local! {
    static SAMPLES: OnceCell<Vec<Sample>> = const { OnceCell::new() };
}

fn all() -> Vec<Sample> {
    let sample = |(_, image): (_, Image)| Sample { used: image.used().collect(), image };
    samples().map(sample).into()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, pieces)) = bytes.split_first() else { return };
    SAMPLES.with(|samples| {
        let samples = samples.get_or_init(all);
        let Sample { image, used } = &samples[usize::from(*which) % samples.len()];
        let mut image = image.clone();
        for [sector, far, low, high, byte] in pieces.as_chunks().0.iter().take(64) {
            let sector = used[usize::from(u16::from_le_bytes([*sector, *far])) % used.len()];
            image.put(sector * 512 + u64::from(u16::from_le_bytes([*low, *high]) % 512), &[*byte]);
        }
        let _ = exercise(&image);
    });
});
