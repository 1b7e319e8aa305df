//! Names whose addresses are known, as long as whoever told them said.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// How long an answer is believed at most and at least, seconds, whatever it says; and how long it is that there is no such name (RFC 2308 allows three hours).
const LONGEST_S: u32 = 24 * 3600;
const SHORTEST_S: u32 = 1;
const NONE_S: u32 = 30;

const S: u64 = 1_000_000_000;

/// What is known of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    /// None: there is no such name.
    addresses: Vec<IpAddr>,
    /// On the clock of whoever asks, nanoseconds.
    until: u64,
    /// When it was asked for last, by a count of our own.
    used: u64,
}

/// Names, in any case.
#[derive(Debug)]
pub struct Names {
    known: BTreeMap<String, Known>,
    most: usize,
    uses: u64,
}

impl Names {
    /// So many at most: the one that was asked for longest ago goes first.
    pub fn new(most: usize) -> Names {
        Names { known: BTreeMap::new(), most, uses: 0 }
    }

    /// The addresses of a name at `now`; none when there is no such name, and nothing when nobody has told.
    pub fn find(&mut self, name: &str, now: u64) -> Option<&[IpAddr]> {
        self.uses += 1;
        let known = self.known.get_mut(&plain(name)).filter(|known| known.until > now)?;
        known.used = self.uses;
        Some(&known.addresses)
    }

    /// Somebody told the addresses of a name, for so many seconds; none: there is no such name.
    pub fn learn(&mut self, name: &str, addresses: &[IpAddr], seconds: u32, now: u64) {
        let seconds = match addresses {
            [] => NONE_S,
            _ => seconds.clamp(SHORTEST_S, LONGEST_S),
        };
        let name = plain(name);
        if !self.known.contains_key(&name) {
            self.make_room(now);
        }
        self.uses += 1;
        let until = now.saturating_add(u64::from(seconds) * S);
        if self.most > 0 {
            self.known.insert(name, Known { addresses: addresses.to_vec(), until, used: self.uses });
        }
    }

    /// Nothing is known any more, as another network tells other things.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// How many are known, also such as are not believed any more.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn make_room(&mut self, now: u64) {
        if self.known.len() < self.most {
            return;
        }
        self.known.retain(|_, known| known.until > now);
        if self.known.len() < self.most {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, known)| known.used).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
        }
    }
}

/// A name as it is compared (RFC 4343): without the dot of the root, and in small letters.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Names, S};
    use core::net::{IpAddr, Ipv4Addr};

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn a_name_is_known_as_long_as_was_said() {
        let mut names = Names::new(4);
        assert_eq!(names.find("host.example", 0), None);
        assert!(names.is_empty());
        names.learn("Host.Example.", &[ONE, TWO], 60, 5 * S);
        assert_eq!(names.find("hOST.example", 65 * S - 1), Some(&[ONE, TWO][..]));
        assert_eq!(names.find("host.example", 65 * S), None);
        names.learn("host.example", &[TWO], 0, 70 * S);
        assert_eq!(names.find("host.example", 71 * S - 1), Some(&[TWO][..]), "never not at all");
        names.learn("host.example", &[TWO], u32::MAX, 80 * S);
        assert_eq!(names.find("host.example", (80 + 24 * 3600) * S), None, "nor for ever");
    }

    #[test]
    fn that_there_is_no_such_name_is_known_for_a_while() {
        let mut names = Names::new(4);
        names.learn("nobody", &[], 3600, 0);
        assert_eq!(names.find("nobody", 30 * S - 1), Some(&[][..]));
        assert_eq!(names.find("nobody", 30 * S), None);
    }

    #[test]
    fn room_is_made_for_the_newest() {
        let mut names = Names::new(2);
        names.learn("a", &[ONE], 10, 0);
        names.learn("b", &[ONE], 100, 0);
        assert!(names.find("a", 0).is_some());
        names.learn("c", &[TWO], 100, S);
        assert_eq!(names.find("b", S), None, "it was asked for longest ago");
        assert_eq!(names.len(), 2);
        names.learn("d", &[TWO], 100, 20 * S);
        assert_eq!(names.find("c", 20 * S), Some(&[TWO][..]), "what is over goes before that");
        names.learn("c", &[ONE], 100, 20 * S);
        assert_eq!(names.find("c", 20 * S), Some(&[ONE][..]));
        assert_eq!(names.len(), 2);
        names.forget();
        assert!(names.is_empty());
        let mut none = Names::new(0);
        none.learn("a", &[ONE], 10, 0);
        assert!(none.is_empty());
    }
}
