//! Frames as people write them: words of hexadecimal digits, addresses, and repetitions.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Longer than any frame.
const MOST: usize = 65_536;

/// The bytes of a frame: `ffffffffffff 52:54:00:12:34:56 0806 10.0.2.15 00*18`.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let (what, times) = match word.split_once('*') {
            Some((what, times)) => {
                (what, times.parse::<usize>().ok().filter(|times| (1..=MOST).contains(times)))
            }
            None => (word, Some(1)),
        };
        let times = times.ok_or_else(|| format!("`{word}`: how often?"))?;
        let piece = piece(what).ok_or_else(|| format!("`{word}` is no bytes, as `0806` or `10.0.2.15`"))?;
        bytes.extend(piece.repeat(times));
        if bytes.len() > MOST {
            return Err(format!("a frame has no more than {MOST} bytes"));
        }
    }
    Ok(bytes)
}

fn piece(word: &str) -> Option<Vec<u8>> {
    if let Ok(address) = word.parse::<Ipv4Addr>() {
        return Some(address.octets().to_vec());
    }
    let digits: Option<Vec<u32>> =
        word.chars().filter(|digit| *digit != ':').map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

/// How they are written in messages.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a frame has to have where: offsets, and bytes that begin there.
#[derive(Clone, Debug)]
pub struct Template(Vec<(usize, Vec<u8>)>);

impl Template {
    /// From what a case says.
    pub fn parse(parts: &BTreeMap<String, String>) -> Result<Template, String> {
        let part = |(offset, text): (&String, &String)| {
            let offset = offset.parse().map_err(|_| format!("`{offset}` is no offset in a frame"))?;
            Ok((offset, bytes(text)?))
        };
        parts.iter().map(part).collect::<Result<_, String>>().map(Template)
    }

    /// Whether it has all of that.
    pub fn fits(&self, frame: &[u8]) -> bool {
        let has = |(offset, bytes): &(usize, Vec<u8>)| {
            frame.get(*offset..).is_some_and(|rest| rest.starts_with(bytes))
        };
        self.0.iter().all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_words() {
        let frame = bytes("ffff 52:54:00:12:34:56 0806 10.0.2.15 00*3 ab").unwrap();
        assert_eq!(text(&frame), "ffff52540012345608060a00020f000000ab");
        assert_eq!(bytes(""), Ok(Vec::new()));
        for wrong in ["f", "xy", "10.0.2", "00*", "00*x", "00*0", "00*70000", "*3", ":", "00*65536 00"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_template_names_what_is_where() {
        let template = |parts: &[(&str, &str)]| {
            let parts = parts.iter().map(|(at, text)| ((*at).to_owned(), (*text).to_owned()));
            Template::parse(&parts.collect())
        };
        let arp = template(&[("12", "0806"), ("0", "ffff")]).unwrap();
        let mut frame = bytes("ff*6 52*6 0806 00*40").unwrap();
        assert!(arp.fits(&frame));
        assert!(!arp.fits(&frame[..13]), "it ends too early");
        frame[13] = 7;
        assert!(!arp.fits(&frame));
        assert!(template(&[]).unwrap().fits(&[]));
        assert!(template(&[("x", "00")]).is_err() && template(&[("0", "0")]).is_err());
    }
}
