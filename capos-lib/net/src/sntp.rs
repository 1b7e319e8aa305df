//! What time it is, by the simple network time protocol (RFC 5905, section 14; RFC 4330).

/// Bytes of a packet without what may follow.
pub const PACKET: usize = 48;

/// The server's port.
pub const PORT: u16 = 123;

/// Seconds from the beginning of NTP's first era, 1900, to 1970.
const EPOCH: u64 = 2_208_988_800;

/// Why an answer is none: the server's fault, or somebody else's who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is too short.
    Short,
    /// It is not an answer of a server, of a version that there is.
    Mode,
    /// It does not answer what was asked.
    Stranger,
    /// The server's clock is not set, or the server does not want to be asked.
    Unset,
    /// Its times can not be.
    Times,
}

/// A question: the server gives `nonce` back. Nobody who does not see the question can answer it, as long as that is random.
pub fn ask(nonce: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    let (first, times) = packet.split_at_mut(40);
    // No leap, version 4, a client.
    first.iter_mut().take(1).for_each(|byte| *byte = 0x23);
    times.copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// The time, nanoseconds since 1970, at the moment between question and answer; these were at `asked` and `heard` of a clock of ours, nanoseconds.
///
/// # Errors
/// See [`Refusal`].
pub fn answer(packet: &[u8], nonce: u64, asked: u64, heard: u64) -> Result<Time, Refusal> {
    let packet: &[u8; PACKET] = packet.first_chunk().ok_or(Refusal::Short)?;
    let [head, stratum, ..] = *packet;
    let (leap, version, mode) = (head >> 6, head >> 3 & 7, head & 7);
    if mode != 4 || !(1..=4).contains(&version) {
        return Err(Refusal::Mode);
    }
    if word(packet, 24) != nonce {
        return Err(Refusal::Stranger);
    }
    // 0 is a kiss of death (RFC 5905, 7.4), above 15 nobody has set it.
    if leap == 3 || !(1..=15).contains(&stratum) {
        return Err(Refusal::Unset);
    }
    let (received, sent) = (unix(word(packet, 32)), unix(word(packet, 40)));
    let (received, sent) = received.zip(sent).ok_or(Refusal::Times)?;
    let away = heard.checked_sub(asked).ok_or(Refusal::Times)?;
    let held = sent.checked_sub(received).filter(|held| *held <= away).ok_or(Refusal::Times)?;
    let round_trip = away - held;
    Ok(Time { unix_ns: sent.checked_add(round_trip / 2).ok_or(Refusal::Times)?, round_trip })
}

/// What a server says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time {
    /// When the answer was heard, nanoseconds since 1970.
    pub unix_ns: u64,
    /// It may be wrong by half of that, nanoseconds.
    pub round_trip: u64,
}

fn word(packet: &[u8; PACKET], at: usize) -> u64 {
    packet.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Nanoseconds since 1970 of a time of NTP, whose seconds began anew in 2036: what would be before 1970 is after that. None for 0, which is no time.
fn unix(time: u64) -> Option<u64> {
    let (seconds, fraction) = (time >> 32, time & 0xffff_ffff);
    let seconds = if seconds < EPOCH { seconds + (1 << 32) } else { seconds };
    let ns = (fraction * 1_000_000_000) >> 32;
    (time != 0).then(|| (seconds - EPOCH) * 1_000_000_000 + ns)
}

#[cfg(test)]
mod tests {
    use super::{EPOCH, PACKET, Refusal, Time, answer, ask};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;

    /// What a server answers whose clock says so when it hears and when it answers.
    fn serve(question: &[u8; PACKET], received: u64, sent: u64) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        (packet[0], packet[1]) = (0x24, 2);
        packet[24..32].copy_from_slice(&question[40..]);
        packet[32..40].copy_from_slice(&received.to_be_bytes());
        packet[40..].copy_from_slice(&sent.to_be_bytes());
        packet
    }

    const fn ntp(unix: u64, ms: u64) -> u64 {
        (((unix + EPOCH) & 0xffff_ffff) << 32) | ((ms << 32) / 1000)
    }

    #[test]
    fn the_time_is_that_of_the_middle_of_the_way() {
        let packet = serve(&ask(99), ntp(1_700_000_000, 250), ntp(1_700_000_000, 500));
        let time = answer(&packet, 99, 10 * S, 10 * S + 450_000_000).unwrap();
        assert_eq!((time.unix_ns, time.round_trip), (1_700_000_000 * S + 600_000_000, 200_000_000));
        let packet = serve(&ask(99), ntp(2_200_000_000, 0), ntp(2_200_000_000, 0));
        assert_eq!(
            answer(&packet, 99, 0, 0),
            Ok(Time { unix_ns: 2_200_000_000 * S, round_trip: 0 }),
            "after 2036"
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let now = ntp(1_700_000_000, 0);
        let good = serve(&ask(99), now, now);
        let with = |at: usize, byte: u8| {
            let mut packet = good;
            packet[at] = byte;
            answer(&packet, 99, 0, S)
        };
        assert!(answer(&good, 99, 0, S).is_ok() && with(0, 0x1c).is_ok());
        assert_eq!(answer(&good[..47], 99, 0, S), Err(Refusal::Short));
        assert_eq!([with(0, 0x23), with(0, 0x04), with(0, 0x2c)], [Err(Refusal::Mode); 3]);
        assert_eq!(answer(&good, 98, 0, S), Err(Refusal::Stranger));
        assert_eq!([with(0, 0xe4), with(1, 0), with(1, 16)], [Err(Refusal::Unset); 3]);
        let times = |received, sent| answer(&serve(&ask(99), received, sent), 99, 0, S);
        let wrong = [
            times(0, now),
            times(now, 0),
            times(ntp(1_700_000_001, 0), now),
            times(now, ntp(1_700_000_002, 0)),
        ];
        assert_eq!(wrong, [Err(Refusal::Times); 4]);
        assert_eq!(answer(&good, 99, S, 0), Err(Refusal::Times));
    }

    proptest! {
        #[test]
        fn any_packet_is_an_answer_or_refused(packet: Vec<u8>, times: [u64; 4], asked: u64, heard: u64) {
            let _ = answer(&packet, times[0], asked, heard);
            let packet = serve(&ask(times[0]), times[1], times[2]);
            let _ = answer(&packet, times[0], asked, heard);
        }
    }
}
