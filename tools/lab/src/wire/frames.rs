//! The two types of frames by which lab and guests test each other. Whoever gets a frame of the first answers with one of the second that
//! has the addresses swapped and is the same but for that. Both are IEEE 802's for local experiments, so that nobody else means them.

use capos_mutate::Rng;

/// An answer is wanted.
pub const ASK: [u8; 2] = [0x88, 0xb5];
/// It is one.
pub const ANSWER: [u8; 2] = [0x88, 0xb6];
/// The lab's own address: one of those that nobody was given.
pub const LAB: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Everybody's.
pub const ALL: [u8; 6] = [0xff; 6];

const SHORTEST: usize = 60;
const LONGEST: usize = 1514;

/// A frame's type.
pub fn kind(frame: &[u8]) -> Option<[u8; 2]> {
    frame.get(12..14)?.try_into().ok()
}

/// Whether it is of these types.
pub fn is_ours(frame: &[u8]) -> bool {
    matches!(kind(frame), Some(ASK | ANSWER))
}

/// Whom it is for.
pub fn destination(frame: &[u8]) -> Option<[u8; 6]> {
    frame.get(..6)?.try_into().ok()
}

/// Who sent it.
pub fn source(frame: &[u8]) -> Option<[u8; 6]> {
    frame.get(6..12)?.try_into().ok()
}

/// Whether that is one station.
pub fn is_station(address: [u8; 6]) -> bool {
    address[0] & 1 == 0 && address != [0; 6]
}

/// A frame to `guest` that wants an answer. The first are the shortest and the longest, the others of any length.
pub fn ask(rng: &mut Rng, guest: [u8; 6], number: u32) -> Vec<u8> {
    let length = match number {
        0 => SHORTEST,
        1 => LONGEST,
        _ => SHORTEST + rng.below((LONGEST - SHORTEST + 1) as u32) as usize,
    };
    let mut frame = [&guest[..], &LAB, &ASK, &number.to_be_bytes()].concat();
    while frame.len() < length {
        frame.extend(rng.draw().to_be_bytes());
    }
    frame.truncate(length);
    frame
}

/// The answer to it of the station `from`.
pub fn answer(ask: &[u8], from: [u8; 6]) -> Option<Vec<u8>> {
    Some([ask.get(6..12)?, &from, &ANSWER, ask.get(14..)?].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_the_other_way_round() {
        let guest = [0x52, 0x54, 0, 1, 2, 3];
        let ask = ask(&mut Rng::new(1), guest, 9);
        assert_eq!((kind(&ask), destination(&ask), source(&ask)), (Some(ASK), Some(guest), Some(LAB)));
        let answer = answer(&ask, guest).unwrap();
        assert_eq!(
            (kind(&answer), destination(&answer), source(&answer)),
            (Some(ANSWER), Some(LAB), Some(guest))
        );
        assert_eq!(answer[14..], ask[14..]);
        assert!(is_ours(&ask) && is_ours(&answer) && !is_ours(&ask[..13]));
        assert_eq!(super::answer(&ask[..13], guest), None);
    }

    #[test]
    fn lengths_go_from_one_end_to_the_other() {
        let mut rng = Rng::new(1);
        let lengths: Vec<usize> = (0..100).map(|number| ask(&mut rng, ALL, number).len()).collect();
        assert_eq!(lengths[..2], [60, 1514]);
        assert!(lengths.iter().all(|length| (60..=1514).contains(length)));
    }

    #[test]
    fn stations() {
        assert!(
            is_station(LAB)
                && !is_station(ALL)
                && !is_station([0; 6])
                && !is_station([0x33, 0x33, 0, 0, 0, 1])
        );
    }
}
