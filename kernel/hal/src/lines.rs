//! Which interrupt line has which vector, and which of its claims somebody means.
//!
//! Every vector has a place with a lock of its own: what handles one interrupt never waits for what is done about another. Only who claims a
//! line takes a lock that all have in common.
//!
//! An interrupt may be under way while its line is given back, and claimed anew. So a claim has a number, and a vector that is given back is
//! the last to be given out again: what comes late finds nobody, or another claim than it means.

use crate::order::LockRank;
use crate::sync::Lock;
use crate::types::{IRQ_PLACES, IrqError, IrqInfo, IrqLine};

/// How a line is masked and aimed.
pub(crate) trait Wire {
    /// Masks or unmasks the line.
    fn set_masked(&self, masked: bool);
    /// Has its interrupts go to that processor, or to another one if they cannot; gives the one. The line is masked.
    fn aim(&self, cpu: usize) -> usize;
    /// Whether everything says what it was told: to go to `cpu`, as [`Wire::aim`] gave it, and whether it is masked.
    fn is_as_told(&self, cpu: usize, masked: bool) -> bool;
    /// Nobody has it any more. It is masked.
    fn withdraw(&self);
    /// Whether it is told once, as by a message: it need not be masked when it fires, as nothing is told again before something has
    /// happened, and what it tells while it is masked is not lost.
    fn tells_once(&self) -> bool;
}

struct Claim<W> {
    gsi: u32,
    wire: W,
    masked: bool,
    cpu: usize,
    count: u64,
}

impl<W: Wire> Claim<W> {
    fn set_masked(&mut self, masked: bool) {
        if self.masked != masked {
            self.masked = masked;
            self.wire.set_masked(masked);
        }
    }
}

struct Place<W> {
    claim: Option<Claim<W>>,
    /// Counts the claims.
    turn: u32,
}

impl<W> Place<W> {
    fn line(&self, place: usize) -> Option<IrqLine> {
        let gsi = self.claim.as_ref()?.gsi;
        // There are not more places than a byte numbers.
        Some(IrqLine { gsi, place: place as u8, turn: self.turn })
    }
}

/// All lines that may be claimed at once.
pub(crate) struct Lines<W> {
    places: [Lock<Place<W>>; IRQ_PLACES],
    /// Where who claims next looks first.
    next: Lock<usize>,
}

impl<W: Wire> Lines<W> {
    /// None is claimed.
    pub const fn new() -> Self {
        Lines {
            places: [const { Lock::new(LockRank::Vector, Place { claim: None, turn: 0 }) }; IRQ_PLACES],
            next: Lock::new(LockRank::Claims, 0),
        }
    }

    /// Claims line `gsi` for `cpu`. `route` has it raise the vector of a place, masked.
    pub fn claim(&self, gsi: u32, cpu: usize, route: impl FnOnce(usize) -> W) -> Result<IrqLine, IrqError> {
        let mut next = self.next.lock();
        if self.find(gsi).is_some() {
            return Err(IrqError::Taken);
        }
        let mut places = self.places.iter().enumerate().cycle().skip(*next).take(IRQ_PLACES);
        let (at, place) = places.find(|(_, place)| place.lock().claim.is_none()).ok_or(IrqError::Taken)?;
        *next = at + 1;
        let mut place = place.lock();
        let wire = route(at);
        let cpu = wire.aim(cpu);
        place.turn = place.turn.wrapping_add(1);
        place.claim = Some(Claim { gsi, wire, masked: true, cpu, count: 0 });
        place.line(at).ok_or(IrqError::Taken)
    }

    /// Line `gsi` as somebody has claimed it.
    pub fn find(&self, gsi: u32) -> Option<IrqLine> {
        let lines = self.places.iter().enumerate().filter_map(|(at, place)| place.lock().line(at));
        lines.into_iter().find(|line| line.gsi == gsi)
    }

    /// Gives a line back, masked.
    pub fn release(&self, line: IrqLine) {
        self.with(line, |place| {
            if let Some(mut claim) = place.claim.take() {
                claim.set_masked(true);
                claim.wire.withdraw();
            }
        });
    }

    /// Masks a line.
    pub fn mask(&self, line: IrqLine) {
        self.with(line, |place| {
            if let Some(claim) = &mut place.claim {
                claim.set_masked(true);
            }
        });
    }

    /// Unmasks a line. Its interrupts come to `cpu` from now on, if it was masked: that is where who waits for them runs.
    pub fn unmask(&self, line: IrqLine, cpu: usize) {
        self.with(line, |place| {
            let Some(claim) = &mut place.claim else { return };
            if claim.cpu != cpu && (claim.masked || claim.wire.tells_once()) {
                claim.set_masked(true);
                claim.cpu = claim.wire.aim(cpu);
            }
            claim.set_masked(false);
        });
    }

    /// The line of a place fired: masks it, unless it tells once, and says which. `None` when it was given back meanwhile.
    pub fn fired(&self, at: usize) -> Option<IrqLine> {
        let mut place = self.places.get(at)?.lock();
        let line = place.line(at)?;
        let claim = place.claim.as_mut()?;
        claim.count += 1;
        if !claim.wire.tells_once() {
            claim.set_masked(true);
        }
        Some(line)
    }

    /// Line number `index` of those claimed, by their places; the first has `vector`.
    pub fn info(&self, index: usize, vector: u8) -> Option<IrqInfo> {
        let info = |at: usize, place: &Lock<Place<W>>| {
            let place = place.lock();
            let claim = place.claim.as_ref()?;
            let (vector, cpu) = (vector + at as u8, claim.cpu as u32);
            Some(IrqInfo { gsi: claim.gsi, vector, count: claim.count, masked: claim.masked, cpu })
        };
        self.places.iter().enumerate().filter_map(|(at, place)| info(at, place)).nth(index)
    }

    /// Whether line `gsi` is claimed, and is as it was told.
    pub fn is_as_told(&self, gsi: u32) -> bool {
        let is_it = |claim: &Claim<W>| claim.gsi == gsi && claim.wire.is_as_told(claim.cpu, claim.masked);
        self.places.iter().any(|place| place.lock().claim.as_ref().is_some_and(is_it))
    }

    /// Has `work` done with the place of a line, if it is claimed by who means it.
    fn with(&self, line: IrqLine, work: impl FnOnce(&mut Place<W>)) {
        let at = usize::from(line.place);
        if let Some(place) = self.places.get(at) {
            let mut place = place.lock();
            if place.line(at) == Some(line) {
                work(&mut place);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Lines, Wire};
    use crate::types::{IRQ_PLACES, IrqError, IrqLine};
    use core::cell::RefCell;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    std::thread_local! {
        static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    struct Told(u32);

    impl Wire for Told {
        fn set_masked(&self, masked: bool) {
            SAID.with_borrow_mut(|said| said.push(format!("{} {masked}", self.0)));
        }

        fn aim(&self, cpu: usize) -> usize {
            SAID.with_borrow_mut(|said| said.push(format!("{} to {cpu}", self.0)));
            cpu.min(2)
        }

        fn is_as_told(&self, cpu: usize, masked: bool) -> bool {
            (cpu, masked) == (0, true)
        }

        fn withdraw(&self) {
            SAID.with_borrow_mut(|said| said.push(format!("{} withdrawn", self.0)));
        }

        fn tells_once(&self) -> bool {
            self.0 >= 1 << 31
        }
    }

    fn said() -> Vec<String> {
        SAID.take()
    }

    fn claim(lines: &Lines<Told>, gsi: u32) -> Result<IrqLine, IrqError> {
        lines.claim(gsi, 0, |_| Told(gsi))
    }

    #[test]
    fn a_line_is_masked_when_it_fires_until_it_is_unmasked() {
        let lines = Lines::new();
        let line = claim(&lines, 4).unwrap();
        assert_eq!(said(), ["4 to 0"]);
        lines.unmask(line, 0);
        assert_eq!(lines.fired(0), Some(line));
        assert_eq!(
            (said(), lines.info(0, 0x30).unwrap().masked),
            (["4 false", "4 true"].map(String::from).into(), true)
        );
        // What came before the mask took effect.
        assert_eq!((lines.fired(0), lines.info(0, 0x30).unwrap().count), (Some(line), 2));
        assert!(said().is_empty());
        assert_eq!(claim(&lines, 4), Err(IrqError::Taken));
    }

    #[test]
    fn a_line_goes_where_it_is_unmasked() {
        let lines = Lines::new();
        let line = claim(&lines, 4).unwrap();
        lines.unmask(line, 1);
        assert_eq!(said(), ["4 to 0", "4 to 1", "4 false"]);
        // It may be on its way: it stays where it is until it has come.
        lines.unmask(line, 0);
        assert_eq!((said().len(), lines.info(0, 0).unwrap().cpu), (0, 1));
        lines.fired(0);
        lines.unmask(line, 1);
        assert_eq!(said(), ["4 true", "4 false"]);
        // Not every processor can be reached.
        lines.mask(line);
        lines.unmask(line, 7);
        assert_eq!(lines.info(0, 0).unwrap().cpu, 2);
    }

    #[test]
    fn a_message_is_not_masked_when_it_fires_and_may_be_sent_elsewhere_at_any_time() {
        let lines = Lines::new();
        let message = 1 << 31;
        let line = claim(&lines, message).unwrap();
        lines.unmask(line, 0);
        said();
        assert_eq!((lines.fired(0), lines.fired(0)), (Some(line), Some(line)));
        assert!(said().is_empty() && !lines.info(0, 0).unwrap().masked);
        // It is masked while it is sent elsewhere.
        lines.unmask(line, 1);
        assert_eq!(
            said(),
            [format!("{message} true"), format!("{message} to 1"), format!("{message} false")]
        );
        lines.mask(line);
        assert!(lines.info(0, 0).unwrap().masked);
    }

    #[test]
    fn what_comes_late_finds_nobody() {
        let lines = Lines::new();
        let old = claim(&lines, 4).unwrap();
        lines.unmask(old, 0);
        lines.release(old);
        assert!(said().ends_with(&["4 true", "4 withdrawn"].map(String::from)));
        assert_eq!(lines.fired(0), None);
        // The line anew, and every vector but the old one: the old one is still nobody's.
        let new = claim(&lines, 4).unwrap();
        (10..10 + IRQ_PLACES as u32 - 2).for_each(|gsi| assert!(claim(&lines, gsi).is_ok()));
        assert_eq!((lines.fired(0), new.place), (None, 1));
        // It is given out last, and its new owner hears nothing of the old claim, nor is he done anything to by it.
        let last = claim(&lines, 5).unwrap();
        assert_eq!((last.place, claim(&lines, 6)), (0, Err(IrqError::Taken)));
        assert_ne!(last, old);
        lines.unmask(last, 0);
        said();
        lines.mask(old);
        lines.release(old);
        assert!(said().is_empty() && lines.fired(0) == Some(last));
        lines.unmask(old, 0);
        assert_eq!(said(), ["5 true"]);
    }
}
