//! Runs operations on a recorded disk, and the model beside it.

use capos_fs::Fs;
use capos_store::{Limits, Volume};

use crate::block_on;
use crate::dump::{Dump, dump};
use crate::image::Image;
use crate::model::Model;
use crate::op::{Expect, Op};
use crate::record::{Event, Fault, Recorder};

/// What was recorded of a run.
pub struct Run {
    /// What was on the disk before.
    pub base: Image,
    /// What happened.
    pub events: Vec<Event>,
    /// What is to be seen after so many operations.
    pub dumps: Vec<Dump>,
    /// How the run itself went wrong: it and the model do not agree.
    pub differs: Option<String>,
}

/// Little memory, so that much is read from the disk.
pub(crate) const LIMITS: Limits = Limits { nodes: 16, data: 16, dirty: 256 };

/// Runs operations on a volume, whose state is the model's.
///
/// # Panics
/// When the base is no volume.
pub fn run(base: &Image, model: &Model, ops: &[Op], fault: Fault) -> Run {
    let (base, mut model) = (base.clone(), model.clone());
    let recorder = Recorder::new(base.clone(), fault);
    let (volume, _) = block_on(Volume::mount(recorder, LIMITS)).expect("the base is a volume");
    let fs = block_on(Fs::mount(volume)).expect("the base has files");
    let mut dumps = vec![model.dump()];
    let mut differs = None;
    for (number, op) in ops.iter().enumerate() {
        let disk = fs.volume().disk();
        disk.note(Event::Begun(number));
        let done = block_on(op.carry_out(&fs, number));
        let before = model.clone();
        let expected = model.apply(op);
        match done {
            Expect::Full => model = before,
            Expect::Same(done) if done == expected => {}
            Expect::Same(done) => {
                differs.get_or_insert_with(|| format!("{op:?}: {done:?}, and the model says {expected:?}"));
            }
        }
        if op.is_durable() && done == Expect::Same(Ok(())) {
            disk.note(Event::Synced(number + 1));
        }
        dumps.push(model.dump());
    }
    let seen = block_on(dump(&fs));
    if differs.is_none() && seen.as_ref().ok() != dumps.last() {
        differs = Some(format!("at the end there is {seen:?}, and the model says {:?}", dumps.last()));
    }
    let events = fs.volume().disk().events();
    Run { base, events, dumps, differs }
}
