//! Made-up volumes: the sound one is sound, and what is spoiled is refused, or found to be wrong, or harmless; nothing panics, and all
//! of it ends.

use capos_mutate::Rng;
use fakes::volume::{exercise, sound};

#[test]
fn the_sound_one_is_sound() {
    assert_eq!(exercise(&sound()), Some((62, 0)));
}

/// One byte or a few of any block in use are anything, and all checksums are right.
#[test]
fn spoiled_volumes() {
    let image = sound();
    let mut rng = Rng::new(5);
    let (mut refused, mut wrong) = (0, 0);
    for _ in 0..600 {
        let image = image.clone();
        for _ in 0..=rng.below(3) {
            let block = rng.pick(image.used()).expect("some are in use");
            // Headers and the first entries are at the beginning; the newest entries lie anywhere.
            let at = if rng.chance(1, 2) { rng.below(64) } else { rng.below(4096) };
            image.spoil(block, at as usize, rng.edge() as u8);
            image.reseal(block);
        }
        match exercise(&image) {
            None => refused += 1,
            Some((_, findings)) => wrong += usize::from(findings > 0),
        }
    }
    assert!(refused > 5 && wrong > 100, "{refused} were refused, {wrong} found to be wrong");
}

/// Superblocks whose checksum is right, and nothing else.
#[test]
fn spoiled_superblocks() {
    let image = sound();
    let mut rng = Rng::new(6);
    for _ in 0..300 {
        let image = image.clone();
        for slot in [0, 255] {
            let mut record = image.record(slot);
            for _ in 0..=rng.below(4) {
                let at = rng.below(record.len() as u32) as usize;
                record[at] = rng.edge() as u8;
            }
            record.truncate(rng.below(2 * record.len() as u32) as usize);
            image.set_record(slot, &record);
        }
        exercise(&image);
    }
}
