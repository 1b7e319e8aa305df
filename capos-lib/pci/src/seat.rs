//! A slot that things are plugged into while the machine runs, step by step (PCI Express 5.0, 6.7).
//!
//! Pure: it is told what the slot reports and says what to do. Between two steps there is time for the slot to obey (6.7.3.2: a second at
//! most); steps that take longer are looked at again.

/// From power to the first look at what was plugged in (6.6.1).
const WAKES_NS: u64 = 100_000_000;
/// How long it is waited for a device to become quiet before its power goes.
const QUIET_NS: u64 = 1_000_000_000;

/// What is known of the slot at a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Something is in it.
    pub occupied: bool,
    /// The button was pressed since the last step.
    pub pressed: bool,
    /// Something came or went since the last step.
    pub changed: bool,
    /// Something behind it answers.
    pub answers: bool,
    /// What was behind it does nothing any more, and what it was given need not be kept.
    pub quiet: bool,
    /// Its power can be switched.
    pub switchable: bool,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Nothing now.
    Nothing,
    /// Switch the power on.
    PowerOn,
    /// See what is there.
    Look,
    /// Take it back from who has it.
    TakeBack,
    /// Switch the power off.
    PowerOff,
    /// Forget it: it is gone, and can not do anything any more.
    Forget,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Empty,
    /// It has power, and does not answer yet.
    Wakes,
    /// Somebody may have it.
    Full,
    /// Nobody has it any more; it may still do something.
    Leaves,
    /// It has no power.
    Off,
    /// It was forgotten, and is still in the slot.
    Out,
}

/// Where a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    stage: Stage,
    since: u64,
}

impl Seat {
    /// As firmware left it.
    pub const fn new(full: bool) -> Seat {
        Seat { stage: if full { Stage::Full } else { Stage::Empty }, since: 0 }
    }

    fn go(&mut self, stage: Stage, now: u64, act: Act) -> Act {
        *self = Seat { stage, since: now };
        act
    }

    /// The next step, at `now` nanoseconds.
    pub fn step(&mut self, seen: Seen, now: u64) -> Act {
        let waited = now.saturating_sub(self.since);
        match self.stage {
            Stage::Empty if seen.occupied => self.go(Stage::Wakes, now, Act::PowerOn),
            // It went before it was anybody's.
            Stage::Wakes if !seen.occupied => self.go(Stage::Off, now, Act::PowerOff),
            Stage::Wakes if seen.answers && waited >= WAKES_NS => self.go(Stage::Full, now, Act::Look),
            // Unannounced, perhaps with another one in its place.
            Stage::Full if !seen.occupied || seen.changed => self.go(Stage::Leaves, now, Act::TakeBack),
            Stage::Full if seen.pressed => self.go(Stage::Leaves, now, Act::TakeBack),
            Stage::Leaves if !seen.occupied || seen.quiet || waited >= QUIET_NS => {
                self.go(Stage::Off, now, Act::PowerOff)
            }
            // Without power it writes nothing; one whose power can not be switched has to be quiet, or pulled out.
            Stage::Off if !seen.occupied || seen.quiet || seen.switchable => {
                self.go(if seen.occupied { Stage::Out } else { Stage::Empty }, now, Act::Forget)
            }
            Stage::Out if !seen.occupied => self.go(Stage::Empty, now, Act::Nothing),
            Stage::Out if seen.pressed || seen.changed => self.go(Stage::Wakes, now, Act::PowerOn),
            _ => Act::Nothing,
        }
    }
}
