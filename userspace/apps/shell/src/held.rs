//! What the shell was granted.

use crate::trouble::Trouble;
use alloc::vec::Vec;
use rt::env::Granted;
use rt::{Cap, Client, Env, Lent};

/// The capabilities by name, for typed calls and for passing on.
pub struct Held {
    caps: Vec<(Granted, Cap)>,
}

impl Held {
    /// Takes everything out of the environment.
    pub fn take(env: &mut Env) -> Held {
        let all = env.granted();
        Held { caps: all.filter_map(|granted| env.take(granted).ok().map(|cap| (granted, cap))).collect() }
    }

    /// All of them, in the order of their grant.
    pub fn all(&self) -> impl Iterator<Item = Granted> + '_ {
        self.caps.iter().map(|(granted, _)| *granted)
    }

    /// One by its name.
    pub fn find(&self, name: &str) -> Option<(Granted, &Cap)> {
        self.caps.iter().find(|(granted, _)| granted.name == name).map(|(granted, cap)| (*granted, cap))
    }

    /// One by its name, to be called.
    pub fn client<C: Client>(&self, name: &'static str) -> Result<Lent<'_, C>, Trouble> {
        match self.find(name) {
            Some((granted, cap)) if granted.interface == C::ID => Ok(Lent::of(cap)),
            _ => Err(Trouble::NotHeld(name)),
        }
    }
}
