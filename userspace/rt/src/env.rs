//! What the parent told and gave us: name, arguments, capabilities by name, exports to serve.

use crate::cap::{Cap, Client};
use alloc::vec::Vec;
use capos_abi::CapId;
use capos_abi::startup::{Reader, Record};
use core::fmt;

/// The startup block, and which of its capabilities were taken.
pub struct Env {
    block: &'static [u8],
    taken: Vec<u32>,
}

/// One capability that the parent granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Granted {
    /// The name to find it by.
    pub name: &'static str,
    /// Its interface id.
    pub interface: u64,
    /// Its id.
    pub id: CapId,
}

/// Why a capability could not be taken by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EnvError {
    /// Nothing of that name was granted.
    Missing(&'static str),
    /// What was granted under that name has another interface.
    WrongInterface(&'static str),
    /// It was taken before.
    Taken(&'static str),
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvError::Missing(name) => write!(f, "capability `{name}` was not granted"),
            EnvError::WrongInterface(name) => {
                write!(f, "capability `{name}` has another interface than needed")
            }
            EnvError::Taken(name) => write!(f, "capability `{name}` was taken before"),
        }
    }
}

impl core::error::Error for EnvError {}

impl Env {
    #[cfg_attr(not(capos), expect(dead_code, reason = "called by the entry, which exists only on capOS"))]
    pub(crate) const fn new(block: &'static [u8]) -> Env {
        Env { block, taken: Vec::new() }
    }

    /// Our own name, for people; empty when the parent said none.
    pub fn name(&self) -> &'static str {
        Reader::new(self.block)
            .find_map(|record| if let Record::Name(name) = record { Some(name) } else { None })
            .unwrap_or("")
    }

    /// The arguments.
    pub fn args(&self) -> impl Iterator<Item = &'static str> + use<> {
        Reader::new(self.block)
            .filter_map(|record| if let Record::Arg(arg) = record { Some(arg) } else { None })
    }

    /// The interfaces to serve on the endpoint granted as `serve`: name and interface id, in the order of their numbers.
    pub fn exports(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        Reader::new(self.block).filter_map(|record| match record {
            Record::Export { name, interface } => Some((name, interface)),
            _ => None,
        })
    }

    /// Everything that was granted, taken or not.
    pub fn granted(&self) -> impl Iterator<Item = Granted> + use<> {
        Reader::new(self.block)
            .filter_map(|record| match record {
                Record::Cap { name, interface } => Some((name, interface)),
                _ => None,
            })
            .zip(0u32..)
            .map(|((name, interface), n)| Granted { name, interface, id: CapId::granted(n) })
    }

    /// Takes a capability by its name, whatever its interface.
    pub fn cap(&mut self, name: &'static str) -> Result<Cap, EnvError> {
        let granted = self.granted().find(|granted| granted.name == name).ok_or(EnvError::Missing(name))?;
        self.take(granted)
    }

    /// Takes a capability by its name, as a typed client.
    pub fn client<C: Client>(&mut self, name: &'static str) -> Result<C, EnvError> {
        let granted = self.granted().find(|granted| granted.name == name).ok_or(EnvError::Missing(name))?;
        if granted.interface != C::ID {
            return Err(EnvError::WrongInterface(name));
        }
        self.take(granted).map(C::from)
    }

    /// Takes one of [`Env::granted`]; each can be owned once.
    pub fn take(&mut self, granted: Granted) -> Result<Cap, EnvError> {
        if self.taken.contains(&granted.id.index()) {
            return Err(EnvError::Taken(granted.name));
        }
        self.taken.push(granted.id.index());
        Ok(Cap::from_id(granted.id))
    }
}
