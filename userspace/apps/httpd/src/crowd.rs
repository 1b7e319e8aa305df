//! How many may come, so that one of them can not keep all others out.

use alloc::collections::BTreeMap;

/// An address of IPv6, or one of IPv4 as IPv6 has it.
pub type Peer = (u64, u64);

/// Who is there.
pub struct Crowd {
    most: usize,
    each: usize,
    there: BTreeMap<Peer, usize>,
    count: usize,
}

impl Crowd {
    /// So many connections at most, and so many of one peer.
    pub fn new(most: usize, each: usize) -> Crowd {
        Crowd { most, each, there: BTreeMap::new(), count: 0 }
    }

    /// One more comes; whether it may.
    pub fn enter(&mut self, peer: Peer) -> bool {
        let mine = self.there.get(&peer).copied().unwrap_or(0);
        if self.count >= self.most || mine >= self.each {
            return false;
        }
        self.there.insert(peer, mine + 1);
        self.count += 1;
        true
    }

    /// One of those who may leaves.
    pub fn leave(&mut self, peer: Peer) {
        let Some(mine) = self.there.get_mut(&peer) else { return };
        *mine -= 1;
        self.count -= 1;
        if *mine == 0 {
            self.there.remove(&peer);
        }
    }

    /// Whether nobody more may come.
    pub fn is_full(&self) -> bool {
        self.count >= self.most
    }

    /// Whether it is time to be short with who has nothing to say.
    pub fn is_dense(&self) -> bool {
        self.count * 2 >= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn one_peer_leaves_room_for_others() {
        let (a, b) = ((0, 1), (0, 2));
        let mut crowd = Crowd::new(4, 3);
        assert_eq!([0; 5].map(|_| crowd.enter(a)), [true, true, true, false, false]);
        assert!(crowd.is_dense() && !crowd.is_full() && crowd.enter(b) && crowd.is_full());
        assert!(!crowd.enter(b), "there is no more room");
        crowd.leave(a);
        assert!(crowd.enter(b) && crowd.is_full());
        crowd.leave((9, 9));
        assert!(crowd.is_full(), "who never came does not leave");
        [a, a, b, b].into_iter().for_each(|peer| crowd.leave(peer));
        assert!(!crowd.is_dense() && crowd.there.is_empty());
    }
}
