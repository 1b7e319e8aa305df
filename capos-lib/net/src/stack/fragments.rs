//! Which socket the fragments of a datagram are for: only the first one has its ports. smoltcp puts the datagram together when the last one has
//! come; if that is not the first one, the first one was seen before.

use crate::frame::{FragmentKey, Seen, Whose};
use alloc::collections::VecDeque;

/// Datagrams that are remembered: twice as many as smoltcp puts together at a time.
const MOST: usize = 16;

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Fragments(VecDeque<(FragmentKey, Whose)>);

impl Fragments {
    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whose a frame is, a part of something larger or not.
    pub fn whose(&mut self, seen: Seen) -> Whose {
        let Some(key) = seen.part else { return seen.whose };
        match seen.whose {
            Whose::Tcp { .. } | Whose::Udp { .. } => {
                self.0.retain(|(other, _)| *other != key);
                if self.0.len() == MOST {
                    self.0.pop_front();
                }
                self.0.push_back((key, seen.whose));
                seen.whose
            }
            _ => self.0.iter().find(|(other, _)| *other == key).map_or(seen.whose, |(_, whose)| *whose),
        }
    }
}
