//! Looking at everything, or at one process.

use alloc::vec::Vec;
use capos_inspect::{Capability, Place, Process, Reading, Record, Thread};
use rt::generated::InspectorClient;
use rt::schema::inspector::Listing;
use rt::{CallError, ExceptionCode, TransportError};

/// The inspector.
pub struct Look {
    pub inspector: InspectorClient,
}

impl Look {
    pub fn new(inspector: InspectorClient) -> Self {
        Look { inspector }
    }

    /// What a process holds.
    pub fn holds(&self, process: u64) -> Result<Vec<Capability>, CallError> {
        self.read(Listing::Capabilities, Some(process))
    }

    /// What it holds in a slot.
    pub fn at(&self, process: u64, slot: u32) -> Result<Option<Capability>, CallError> {
        Ok(self.holds(process)?.into_iter().find(|cap| cap.at.slot == slot))
    }

    /// Its threads.
    pub fn threads(&self, process: u64) -> Result<Vec<Thread>, CallError> {
        self.read(Listing::Threads, Some(process))
    }

    /// One process, if it is there.
    pub fn process(&self, id: u64) -> Result<Option<Process>, CallError> {
        Ok(self.read::<Process>(Listing::Processes, None)?.into_iter().find(|process| process.id == id))
    }

    /// A listing to its end, of everybody or of one process.
    pub fn read<R: Record>(&self, listing: Listing, of: Option<u64>) -> Result<Vec<R>, CallError> {
        let mut reading = Reading::new();
        while let Some(Place { process, index, epoch }) = reading.next() {
            let process = of.unwrap_or(process);
            let answer = self.inspector.list_blocking(listing, of.is_some(), process, index, epoch);
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) if epoch != 0 && error.exception() == Some(ExceptionCode::WrongState) => {
                    reading.changed();
                    continue;
                }
                Err(error) => return Err(error),
            };
            let next = Place { process: answer.process, index: answer.index, epoch: answer.epoch };
            let next = (!answer.end).then_some(next);
            let heard = reading.heard(next, answer.length.into(), &answer.records);
            heard.map_err(|_| CallError::from(TransportError::BadMessage))?;
        }
        Ok(reading.finish().0)
    }
}
