//! The startup block of a service.

use crate::state::{Entry, State};
use alloc::string::String;
use alloc::vec::Vec;
use capos_manifest::{STARTUP_MAX, arguments};
use rt::abi::startup::{Record, Writer};

/// The block in the making.
pub struct Startup {
    buffer: Vec<u8>,
    used: usize,
}

/// Names and arguments do not fit.
#[derive(Clone, Copy, Debug)]
pub struct TooLong;

impl Startup {
    /// With a name.
    pub fn new(name: &str) -> Result<Startup, TooLong> {
        let mut startup = Startup { buffer: alloc::vec![0; STARTUP_MAX], used: 0 };
        startup.push(Record::Name(name))?;
        Ok(startup)
    }

    /// With the name and the arguments of a service.
    pub fn of(state: &State, entry: &Entry) -> Result<Startup, TooLong> {
        let mut startup = Startup::new(&entry.service.name)?;
        for arg in &arguments(state.services(), &entry.service) {
            startup.push(Record::Arg(arg))?;
        }
        Ok(startup)
    }

    /// Appends a record.
    pub fn push(&mut self, record: Record<'_>) -> Result<(), TooLong> {
        let mut writer = Writer::new(self.buffer.get_mut(self.used..).unwrap_or(&mut []));
        writer.push(record).map_err(|_| TooLong)?;
        self.used += writer.len();
        Ok(())
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or(&[])
    }
}

impl From<TooLong> for String {
    fn from(_: TooLong) -> String {
        String::from("names and arguments are too long")
    }
}
