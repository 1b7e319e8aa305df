//! Ethernet frames that are almost right.

use crate::rng::Rng;

/// Headers of all layers end before that, mostly.
const HEADERS: usize = 96;

/// Changes one to four things in the frame of `length` bytes at the beginning of `buffer`, and returns how long it is then: at most as long as the
/// buffer.
pub fn mutate(rng: &mut Rng, buffer: &mut [u8], length: usize) -> usize {
    let rounds = 1 + rng.below(4);
    (0..rounds).fold(length.min(buffer.len()), |length, _| once(rng, buffer, length))
}

fn once(rng: &mut Rng, buffer: &mut [u8], length: usize) -> usize {
    let at = place(rng, length);
    match rng.below(8) {
        0 | 1 => {
            let bit = 1 << rng.below(8);
            buffer.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
        }
        2 => put(buffer, length, at, &(rng.edge() as u8).to_be_bytes()),
        3 => put(buffer, length, at & !1, &(rng.edge() as u16).to_be_bytes()),
        4 => put(buffer, length, at & !1, &(rng.edge() as u32).to_be_bytes()),
        5 => return at,
        6 => {
            let longer = (length + rng.below(256) as usize).min(buffer.len());
            let fill = rng.draw() as u8;
            buffer.iter_mut().take(longer).skip(length).for_each(|byte| *byte = fill);
            return longer;
        }
        _ => {
            // What stands somewhere stands elsewhere, too: options come twice, lengths belong to others.
            let from = place(rng, length);
            let count = (rng.below(32) as usize).min(length - from.max(at).min(length));
            buffer.copy_within(from..from + count, at);
        }
    }
    length
}

/// Mostly in the headers.
fn place(rng: &mut Rng, length: usize) -> usize {
    let limit = if rng.chance(3, 4) { length.min(HEADERS) } else { length };
    rng.below(u32::try_from(limit).unwrap_or(u32::MAX)) as usize
}

fn put(buffer: &mut [u8], length: usize, at: usize, bytes: &[u8]) {
    buffer.iter_mut().take(length).skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_stay_in_their_buffer_and_are_told_by_the_seed() {
        let run = |seed| {
            let (mut rng, mut buffer, mut length) = (Rng::new(seed), [0x55; 300], 200);
            for _ in 0..50 {
                length = mutate(&mut rng, &mut buffer, length);
                assert!(length <= buffer.len());
            }
            (buffer, length)
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn whatever_the_length_nothing_gives_up() {
        let mut rng = Rng::new(5);
        for length in (0..70).chain([1000]) {
            let mut buffer = [0; 64];
            (0..200).for_each(|_| assert!(mutate(&mut rng, &mut buffer, length) <= 64));
        }
    }

    #[test]
    fn most_stay_frames_but_hardly_any_stays_what_it_was() {
        let (mut rng, original) = (Rng::new(9), [0x11; 100]);
        let mut count = |is: fn(&[u8; 100], usize) -> bool| {
            let tried = (0..1000).map(|_| {
                let mut buffer = original;
                let length = mutate(&mut rng, &mut buffer, 100);
                is(&buffer, length)
            });
            tried.filter(|is| *is).count()
        };
        assert!(count(|_, length| length == 100) > 500);
        assert!(count(|buffer, length| length == 100 && *buffer == [0x11; 100]) < 200);
        assert!(count(|_, length| length < 14) > 10, "runts");
    }
}
