//! What IOMMUs kept devices from, until somebody reads it.

use crate::types::DmaFault;

/// The oldest of what nobody has read. When it is full, units keep what comes next, and when they are full it is lost, which they count:
/// so a device that does nothing but what it may not costs no more than this.
pub struct Faults {
    kept: [Option<DmaFault>; Faults::ROOM],
    first: usize,
    count: usize,
}

impl Faults {
    /// How much is kept.
    pub const ROOM: usize = 64;

    /// None.
    pub const fn new() -> Faults {
        Faults { kept: [None; Self::ROOM], first: 0, count: 0 }
    }

    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.count == Self::ROOM
    }

    /// Keeps one. False when there is no room.
    pub fn push(&mut self, fault: DmaFault) -> bool {
        let at = (self.first + self.count) % Self::ROOM;
        match self.kept.get_mut(at) {
            Some(place) if self.count < Self::ROOM => {
                *place = Some(fault);
                self.count += 1;
                true
            }
            _ => false,
        }
    }

    /// The oldest, which is not kept any more.
    pub fn pop(&mut self) -> Option<DmaFault> {
        let fault = self.kept.get_mut(self.first)?.take()?;
        self.first = (self.first + 1) % Self::ROOM;
        self.count -= 1;
        Some(fault)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Faults;
    use crate::types::DmaFault;
    use capos_iommu::{Access, Fault, Reason};

    fn fault(n: u64) -> DmaFault {
        let what = Fault { source: 8, access: Access::Read, address: n, reason: Reason::Denied };
        DmaFault { when_ns: n, what }
    }

    #[test]
    fn what_is_kept_comes_back_in_order() {
        let mut faults = Faults::new();
        assert_eq!(faults.pop(), None);
        let (mut pushed, mut popped) = (0, 0);
        // Over the end several times, and full each time.
        for _ in 0..5 {
            while faults.push(fault(pushed)) {
                pushed += 1;
            }
            assert!(faults.is_full() && pushed - popped == Faults::ROOM as u64);
            for _ in 0..Faults::ROOM / 2 + 3 {
                assert_eq!(faults.pop(), Some(fault(popped)));
                popped += 1;
            }
            assert!(!faults.is_full());
        }
        while let Some(found) = faults.pop() {
            assert_eq!(found, fault(popped));
            popped += 1;
        }
        assert_eq!(pushed, popped);
    }
}
