//! States of a machine's disk, from its log.

use crate::dump::Dump;
use crate::image::Image;
use crate::judge::{Bad, judge};
use crate::log::Recording;
use crate::record::Event;
use crate::states::{State, states};
use crate::workload::Random;

/// Which of them to look at.
pub struct Choice {
    /// Where chance begins.
    pub seed: u64,
    /// How many to try at each flush where there are too many for all.
    pub samples: usize,
    /// How many to look at, by chance, of all these; some more or less.
    pub states: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Replayed {
    /// States that there are.
    pub all: usize,
    /// Those that were looked at.
    pub states: usize,
    /// Of these, those that are not what a crash may leave.
    pub bad: usize,
    /// The first of them: which writes of those after the last flush were there (numbers of events, sectors), and what is wrong.
    pub first: Option<(Vec<(usize, u8)>, Bad)>,
}

/// Looks at states of a recording; `dumps` is what is to be seen after so many operations.
pub fn replay(recording: &Recording, dumps: &[Dump], choice: &Choice) -> Replayed {
    // The log does not say exactly when an operation began. What had not begun no write can have brought.
    let all = Event::Begun(dumps.len().saturating_sub(2));
    let events: Vec<Event> = std::iter::once(all).chain(shifted(&recording.events)).collect();
    let mut replayed = Replayed::default();
    states(&recording.base, &events, choice.samples, &mut Random(choice.seed), |_| replayed.all += 1);
    let mut chance = Random(choice.seed ^ 0xc4a5);
    states(&recording.base, &events, choice.samples, &mut Random(choice.seed), |state| {
        if chance.below(replayed.all as u64) >= choice.states as u64 {
            return;
        }
        replayed.states += 1;
        if let Err(bad) = judge(&state, dumps) {
            replayed.bad += 1;
            replayed.first.get_or_insert((state.kept, bad));
        }
    });
    replayed
}

/// The same behind one more event.
fn shifted(events: &[Event]) -> impl Iterator<Item = Event> {
    events.iter().map(|event| match event {
        Event::Durable(writes) => Event::Durable(writes.iter().map(|write| write + 1).collect()),
        other => other.clone(),
    })
}

/// Of how many operations a disk shows what they did, of which so many are durable.
///
/// # Errors
/// When it shows nothing that it may.
pub fn kept(image: &Image, dumps: &[Dump], synced: usize) -> Result<usize, Bad> {
    judge(&State { image: image.clone(), operations: synced..dumps.len(), kept: Vec::new() }, dumps)
}
