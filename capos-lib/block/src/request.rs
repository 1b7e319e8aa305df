//! One request, as it lies in the queue.

use crate::{Status, WORDS};

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Operation {
    /// Sectors into the buffer.
    Read = 0,
    /// Sectors from the buffer.
    Write = 1,
    /// What was completed before this was asked is durable when this completes.
    Flush = 2,
    /// The sectors' contents are not needed any more; what they read as afterwards is anything until they are written.
    Discard = 3,
    /// The sectors read as zeroes.
    Zero = 4,
}

impl Operation {
    /// All of them, by their numbers.
    pub const ALL: [Operation; 5] =
        [Operation::Read, Operation::Write, Operation::Flush, Operation::Discard, Operation::Zero];

    fn new(number: u8) -> Option<Operation> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether bytes move between sectors and a buffer.
    pub const fn has_data(self) -> bool {
        matches!(self, Operation::Read | Operation::Write)
    }

    /// Whether it changes what the device holds.
    pub const fn changes(self) -> bool {
        matches!(self, Operation::Write | Operation::Discard | Operation::Zero)
    }
}

/// One request. All of them may be made again without harm as long as they are not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// The client's; comes back with the completion.
    pub id: u32,
    /// What is asked.
    pub operation: Operation,
    /// Of what changes the device: it is durable when it completes.
    pub durable: bool,
    /// Which of the session's buffers, where data moves.
    pub buffer: u16,
    /// Where in it, bytes.
    pub offset: u32,
    /// The first sector.
    pub first: u64,
    /// How many sectors; none for a flush.
    pub sectors: u32,
}

/// The one flag.
const DURABLE: u64 = 1;

impl Request {
    /// As an entry: id 32, operation 8, flags 8, buffer 16; first; sectors 32, offset 32; the rest zero.
    #[inline]
    pub const fn encode(&self) -> [u64; WORDS] {
        let head = self.id as u64
            | (self.operation as u64) << 32
            | (self.durable as u64) << 40
            | (self.buffer as u64) << 48;
        [head, self.first, self.sectors as u64 | (self.offset as u64) << 32, 0, 0, 0, 0, 0]
    }

    /// From an entry, whatever is in it.
    ///
    /// # Errors
    /// The id, and [`Status::Unsupported`] for operations and flags that there are not: its author is to hear of it.
    #[inline]
    pub fn decode(entry: &[u64; WORDS]) -> Result<Request, (u32, Status)> {
        let [head, first, extent, ..] = *entry;
        let (id, flags) = (head as u32, head >> 40 & 0xff);
        let operation = Operation::new((head >> 32) as u8).filter(|_| flags & !DURABLE == 0);
        let Some(operation) = operation else { return Err((id, Status::Unsupported)) };
        Ok(Request {
            id,
            operation,
            durable: flags & DURABLE != 0,
            buffer: (head >> 48) as u16,
            offset: (extent >> 32) as u32,
            first,
            sectors: extent as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, Request};
    use crate::Status;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            id: u32, operation in 0usize..5, durable: bool, buffer: u16, offset: u32, first: u64, sectors: u32,
        ) {
            let operation = Operation::ALL[operation];
            let request = Request { id, operation, durable, buffer, offset, first, sectors };
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }

        #[test]
        fn any_entry_is_a_request_or_its_authors_fault(entry: [u64; 8]) {
            match Request::decode(&entry) {
                Ok(request) => prop_assert_eq!(request.encode()[..3].to_vec(), entry[..3].to_vec()),
                Err((id, status)) => prop_assert_eq!((id, status), (entry[0] as u32, Status::Unsupported)),
            }
        }
    }
}
