//! Many workloads, and all that could be left of each.

use crate::image::Image;
use crate::judge::{Bad, judge};
use crate::model::Model;
use crate::op::Op;
use crate::record::Fault;
use crate::run::run;
use crate::states::states;
use crate::workload::{Random, base};

/// What to do.
pub struct Campaign {
    /// What is done to the base, one after the other, each anew.
    pub workloads: Vec<Vec<Op>>,
    /// Where chance begins.
    pub seed: u64,
    /// How many choices to try at each flush where there are too many for all.
    pub samples: usize,
    /// What to break.
    pub fault: Fault,
}

/// A state that is not what a crash may leave.
#[derive(Debug)]
pub struct Found {
    /// In which workload.
    pub ops: Vec<Op>,
    /// Which writes of those after the last flush were there: numbers of events, and sectors.
    pub kept: Vec<(usize, u8)>,
    /// What is wrong.
    pub bad: Bad,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Summary {
    /// Workloads that were run.
    pub workloads: usize,
    /// States that were looked at.
    pub states: usize,
    /// Of these, those that are not what a crash may leave.
    pub bad: usize,
    /// The first of them.
    pub first: Option<Found>,
    /// Workloads in which the volume and the model did not agree, without any crash.
    pub differ: Vec<(Vec<Op>, String)>,
}

impl Summary {
    /// Whether nothing was found.
    pub fn is_good(&self) -> bool {
        self.bad == 0 && self.differ.is_empty()
    }
}

/// Carries it out; `progress` is told what was found so far after each workload, and says whether to go on.
pub fn campaign(campaign: &Campaign, mut progress: impl FnMut(&Summary) -> bool) -> Summary {
    let (image, model) = base();
    let mut random = Random(campaign.seed);
    let mut summary = Summary::default();
    for ops in &campaign.workloads {
        workload(campaign, (&image, &model), ops, &mut random, &mut summary);
        if !progress(&summary) {
            break;
        }
    }
    summary
}

fn workload(
    campaign: &Campaign,
    (image, model): (&Image, &Model),
    ops: &[Op],
    random: &mut Random,
    summary: &mut Summary,
) {
    let run = run(image, model, ops, campaign.fault);
    summary.workloads += 1;
    if let Some(differs) = run.differs {
        summary.differ.push((ops.to_vec(), differs));
    }
    states(&run.base, &run.events, campaign.samples, random, |state| {
        summary.states += 1;
        if let Err(bad) = judge(&state, &run.dumps) {
            summary.bad += 1;
            summary.first.get_or_insert_with(|| Found { ops: ops.to_vec(), kept: state.kept, bad });
        }
    });
}
