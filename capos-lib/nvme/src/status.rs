//! How a command ended, in the device's words (4.6.1.2).

use capos_block::Status as Outcome;

/// The status field of a completion, without the phase: status code, its type, and whether to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status(pub u16);

impl Status {
    /// It was done.
    #[inline]
    pub const fn is_done(self) -> bool {
        self.0 & 0x7ff == 0
    }

    /// Type and code, as in type << 8 | code.
    const fn kind(self) -> u16 {
        self.0 & 0x7ff
    }

    /// The same command may succeed when it is given once more (DNR is clear).
    pub const fn may_succeed(self) -> bool {
        self.0 >> 14 & 1 == 0
    }

    /// What that is to who asked (4.6.1.2.1 to 4.6.1.2.3).
    pub const fn outcome(self) -> Outcome {
        match self.kind() {
            0x000 => Outcome::Done,
            0x001 => Outcome::Unsupported,      // Invalid Command Opcode
            0x002 | 0x180 => Outcome::Invalid,  // Invalid Field, Conflicting Attributes
            0x080 => Outcome::OutOfRange,       // LBA Out of Range
            0x081 => Outcome::Full,             // Capacity Exceeded
            0x020 | 0x182 => Outcome::ReadOnly, // Namespace is Write Protected, Write to Read Only Range
            0x200..=0x2ff => Outcome::Media,    // Media and Data Integrity Errors
            _ => Outcome::Device,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Status};

    #[test]
    fn whose_doing_it_was_is_told() {
        let outcome = |kind: u16| Status(kind).outcome();
        assert_eq!(outcome(0), Outcome::Done);
        assert_eq!(outcome(0x281), Outcome::Media);
        assert_eq!(outcome(0x080), Outcome::OutOfRange);
        assert_eq!(outcome(0x081), Outcome::Full);
        assert_eq!(outcome(0x182), Outcome::ReadOnly);
        assert_eq!(outcome(0x006), Outcome::Device);
        // Hints about retrying and logs are no part of what it is.
        assert_eq!(Status(0x7800).outcome(), Outcome::Done);
        assert!(Status(0x281).may_succeed() && !Status(0x4281).may_succeed());
    }

    #[test]
    fn nothing_but_success_is_done() {
        for bits in 0..0x8000u16 {
            assert_eq!(Status(bits).is_done(), Status(bits).outcome() == Outcome::Done, "{bits:#x}");
        }
    }
}
