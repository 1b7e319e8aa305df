//! One process of a service, from its start to its end.

use super::spec::Health;

/// A process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Instance {
    /// Counts the instances of its service, from 1.
    pub epoch: u32,
    pub since_ns: u64,
    pub life: Life,
}

/// Where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// It promised nothing and is taken as it is.
    Plain,
    /// It has until then to say that it is ready.
    Unready { by_ns: u64 },
    /// It is asked again then.
    Well { ask_ns: u64 },
    /// It was asked and has until then to answer.
    Asked { by_ns: u64 },
    /// It is being killed.
    Condemned(Why),
}

/// Why an instance is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// A person wants it so.
    Person,
    /// It did not become ready in time.
    Unready,
    /// It did not answer in time.
    Silent,
    /// It said itself that it is not well.
    Unwell,
    /// Something that it needs was started anew.
    Follow,
    /// Something that it needs was given up and is tried again with all that need it.
    Group,
}

impl Why {
    /// Whether the instance broke a promise.
    pub fn is_fault(self) -> bool {
        matches!(self, Why::Unready | Why::Silent | Why::Unwell)
    }
}

impl Instance {
    pub fn new(epoch: u32, now_ns: u64, health: Option<&Health>) -> Instance {
        let life = match health {
            None => Life::Plain,
            Some(health) => Life::Unready { by_ns: now_ns.saturating_add(health.ready_ns) },
        };
        Instance { epoch, since_ns: now_ns, life }
    }

    /// Whether it serves.
    pub fn is_fit(&self) -> bool {
        matches!(self.life, Life::Plain | Life::Well { .. } | Life::Asked { .. })
    }

    pub fn is_condemned(&self) -> bool {
        matches!(self.life, Life::Condemned(_))
    }

    /// The time when something has to be done about it.
    pub fn deadline(&self) -> Option<u64> {
        match self.life {
            Life::Unready { by_ns } | Life::Asked { by_ns } => Some(by_ns),
            Life::Well { ask_ns } => Some(ask_ns),
            Life::Plain | Life::Condemned(_) => None,
        }
    }
}
