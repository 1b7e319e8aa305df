//! The processes of one service. Usually there is one; two while one takes over from the other.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use rt::Cap;
use rt::generated::ProcessHandleClient;

/// A process.
#[derive(Clone)]
pub struct Instance {
    /// Counts the instances of its service.
    pub epoch: u32,
    pub process: u64,
    pub handle: Rc<ProcessHandleClient>,
    /// Boot file.
    pub program: String,
    /// How the supervisor speaks to it, if it promised to answer.
    pub control: Option<Rc<Cap>>,
}

/// All that were started and not buried.
#[derive(Default)]
pub struct Instances {
    list: Vec<Instance>,
    latest: u32,
}

impl Instances {
    /// The number for the next one.
    pub fn next(&mut self) -> u32 {
        self.latest = self.latest.saturating_add(1);
        self.latest
    }

    /// Takes note of one.
    pub fn add(&mut self, instance: Instance) {
        self.list.push(instance);
    }

    /// The one with that number.
    pub fn find(&self, epoch: u32) -> Option<Instance> {
        self.list.iter().find(|instance| instance.epoch == epoch).cloned()
    }

    /// The first with a higher number.
    pub fn above(&self, epoch: u32) -> Option<Instance> {
        let above = self.list.iter().filter(|instance| instance.epoch > epoch);
        above.min_by_key(|instance| instance.epoch).cloned()
    }

    /// Forgets one.
    pub fn bury(&mut self, epoch: u32) {
        self.list.retain(|instance| instance.epoch != epoch);
    }
}
