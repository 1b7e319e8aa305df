//! What happens to frames on their way. Plain data and a clock that others read: no IO, so that tests need no time.

use std::collections::BTreeMap;
use std::time::Duration;

use capos_mutate::{Rng, frame};
use serde::{Deserialize, Serialize};

use super::frames::is_ours;
use crate::case;

/// For that long others may overtake a frame that is to be overtaken.
const OVERTAKEN: Duration = Duration::from_millis(5);

/// How often what happens, in either direction: so many frames of a thousand.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trouble {
    /// They do not arrive.
    pub lost: u32,
    /// They arrive twice.
    pub doubled: u32,
    /// Others overtake them.
    pub swapped: u32,
    /// They are not what they were; but those of the lab's own types stay what they are.
    pub changed: u32,
    /// And all arrive up to so much later.
    #[serde(deserialize_with = "case::duration")]
    pub late: Duration,
}

impl Trouble {
    /// Whether it is one.
    pub fn check(&self) -> Result<(), String> {
        let all = [self.lost, self.doubled, self.swapped, self.changed];
        match all.iter().all(|often| *often <= 1000) {
            true => Ok(()),
            false => Err("trouble: of a thousand frames no more than a thousand".into()),
        }
    }
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// Did not arrive.
    pub lost: u64,
    /// Arrived twice.
    pub doubled: u64,
    /// Were held back.
    pub swapped: u64,
    /// Were changed.
    pub changed: u64,
}

/// One direction.
pub struct Lane {
    trouble: Trouble,
    rng: Rng,
    /// By when they are due, and in the order in which they came.
    under_way: BTreeMap<(Duration, u64), Vec<u8>>,
    came: u64,
    /// When the last one is due that nobody overtakes.
    last: Duration,
    /// What happened.
    pub happened: Happened,
}

impl Lane {
    /// An empty one.
    pub fn new(trouble: Trouble, seed: u64) -> Lane {
        let (under_way, happened) = (BTreeMap::new(), Happened::default());
        Lane { trouble, rng: Rng::new(seed), under_way, came: 0, last: Duration::ZERO, happened }
    }

    /// A frame comes.
    pub fn push(&mut self, mut frame: Vec<u8>, now: Duration) {
        if self.happens(self.trouble.lost) {
            self.happened.lost += 1;
            return;
        }
        if !is_ours(&frame) && self.happens(self.trouble.changed) {
            self.happened.changed += 1;
            frame = changed(&mut self.rng, &frame);
        }
        if self.happens(self.trouble.doubled) {
            self.happened.doubled += 1;
            self.add(frame.clone(), now);
        }
        self.add(frame, now);
    }

    fn add(&mut self, frame: Vec<u8>, now: Duration) {
        let late = u32::try_from(self.trouble.late.as_micros()).unwrap_or(u32::MAX - 1);
        let due = now + Duration::from_micros(self.rng.below(late.saturating_add(1)).into());
        // One that is late does not let others pass.
        let mut due = due.max(self.last);
        if self.happens(self.trouble.swapped) {
            self.happened.swapped += 1;
            due += OVERTAKEN;
        } else {
            self.last = due;
        }
        self.came += 1;
        self.under_way.insert((due, self.came), frame);
    }

    fn happens(&mut self, often: u32) -> bool {
        often > 0 && self.rng.chance(often, 1000)
    }

    /// The next that is due.
    pub fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next is.
    pub fn due(&self) -> Option<Duration> {
        self.under_way.first_key_value().map(|((due, _), _)| *due)
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }
}

/// The frame with changes. Never none at all: a datagram without bytes is the end of the connection to QEMU, which reads no more then.
pub fn changed(rng: &mut Rng, frame: &[u8]) -> Vec<u8> {
    let mut buffer = frame.to_vec();
    buffer.resize(frame.len() + 300, 0);
    let length = frame::mutate(rng, &mut buffer, frame.len());
    buffer.truncate(length.max(1));
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames::ASK;

    fn lane(trouble: Trouble) -> Lane {
        Lane::new(trouble, 7)
    }

    fn frame(number: u16) -> Vec<u8> {
        let mut frame = vec![0; 60];
        frame[30..32].copy_from_slice(&number.to_be_bytes());
        frame
    }

    /// What arrives of a thousand that come a millisecond after each other.
    fn arriving(lane: &mut Lane) -> Vec<Vec<u8>> {
        let ms = |number: u64| Duration::from_millis(number);
        (0..1000).for_each(|number: u16| lane.push(frame(number), ms(number.into())));
        let arrived = (0..3000).flat_map(|now| std::iter::from_fn(|| lane.take(ms(now))).collect::<Vec<_>>());
        arrived.collect()
    }

    #[test]
    fn without_trouble_all_arrive_at_once_and_in_order() {
        let mut lane = lane(Trouble::default());
        lane.push(frame(1), Duration::ZERO);
        assert_eq!((lane.due(), lane.len()), (Some(Duration::ZERO), 1));
        assert_eq!(lane.take(Duration::ZERO), Some(frame(1)));
        assert_eq!((lane.take(Duration::MAX), lane.due()), (None, None));
        let arrived = arriving(&mut lane);
        assert!(arrived == (0..1000).map(frame).collect::<Vec<_>>());
        assert_eq!(lane.happened, Happened::default());
    }

    #[test]
    fn each_trouble_happens_as_often_as_it_says() {
        let about = |count: u64| (60..=140).contains(&count);
        let mut losing = lane(Trouble { lost: 100, ..Trouble::default() });
        assert_eq!(arriving(&mut losing).len() as u64, 1000 - losing.happened.lost);
        let mut doubling = lane(Trouble { doubled: 100, ..Trouble::default() });
        assert_eq!(arriving(&mut doubling).len() as u64, 1000 + doubling.happened.doubled);
        let mut swapping = lane(Trouble { swapped: 100, ..Trouble::default() });
        let arrived = arriving(&mut swapping);
        let overtaken = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(arrived.len() == 1000 && overtaken > 50, "{overtaken}");
        let mut changing = lane(Trouble { changed: 100, ..Trouble::default() });
        let strange =
            arriving(&mut changing).iter().zip(0..).filter(|(one, number)| **one != frame(*number)).count();
        assert!(strange > 40, "{strange}");
        for count in [
            losing.happened.lost,
            doubling.happened.doubled,
            swapping.happened.swapped,
            changing.happened.changed,
        ] {
            assert!(about(count), "{count}");
        }
    }

    #[test]
    fn the_seed_tells_what_happens() {
        let trouble = Trouble { lost: 300, swapped: 300, changed: 300, ..Trouble::default() };
        let run = |seed| arriving(&mut Lane::new(trouble, seed));
        assert!(run(1) == run(1) && run(1) != run(2));
    }

    #[test]
    fn who_is_late_is_not_overtaken() {
        let mut lane = lane(Trouble { late: Duration::from_millis(20), ..Trouble::default() });
        lane.push(frame(0), Duration::ZERO);
        assert!(lane.due().is_some_and(|due| due <= Duration::from_millis(20)));
        let arrived = arriving(&mut lane);
        assert!(arrived.windows(2).all(|pair| pair[0] <= pair[1]) && arrived.len() == 1001);
    }

    #[test]
    fn the_labs_own_frames_are_not_changed() {
        let mut lane = lane(Trouble { changed: 1000, ..Trouble::default() });
        let mut ours = frame(3);
        ours[12..14].copy_from_slice(&ASK);
        lane.push(ours.clone(), Duration::ZERO);
        assert_eq!(lane.take(Duration::ZERO), Some(ours));
    }

    #[test]
    fn more_than_all_is_too_much() {
        assert!(Trouble { lost: 1001, ..Trouble::default() }.check().is_err());
        assert!(Trouble { lost: 1000, ..Trouble::default() }.check().is_ok());
    }
}
