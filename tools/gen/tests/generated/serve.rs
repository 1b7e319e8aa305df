//! The server's side of a call.

use std::cell::RefCell;
use std::rc::Rc;

use capos_abi::{ExceptionCode, TransferSlot};
use capos_schema::{DecodeError, EncodeError};

use crate::cap::Cap;
use crate::ipc::Reply;

/// A server's refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exception(pub ExceptionCode);

impl From<ExceptionCode> for Exception {
    fn from(code: ExceptionCode) -> Self {
        Exception(code)
    }
}

impl From<DecodeError> for Exception {
    fn from(_: DecodeError) -> Self {
        Exception(ExceptionCode::Malformed)
    }
}

/// Who called.
pub struct CallContext {
    /// The badge of the facet that was called.
    pub badge: u64,
}

/// Where the answer will be.
pub type Answer = Rc<RefCell<Option<Result<Reply, Exception>>>>;

/// One received call.
pub struct Request {
    method: u16,
    message: Vec<u8>,
    slots: Vec<TransferSlot>,
    answer: Answer,
}

impl Request {
    /// A call, and where its answer will be.
    pub fn new(method: u16, message: Vec<u8>, slots: Vec<TransferSlot>) -> (Self, Answer) {
        let answer = Answer::default();
        (Request { method, message, slots, answer: answer.clone() }, answer)
    }

    pub fn method(&self) -> u16 {
        self.method
    }

    pub fn bytes(&self) -> &[u8] {
        &self.message
    }

    pub fn context(&self) -> CallContext {
        CallContext { badge: 77 }
    }

    pub fn take_cap(&self, n: usize) -> Result<Cap, Exception> {
        let slot = self.slots.get(n).ok_or(ExceptionCode::InvalidArgument)?;
        Ok(Cap(slot.id()))
    }

    pub fn reply<E>(self, encode: E, send: &[TransferSlot])
    where
        E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
    {
        let mut message = vec![0x55; 4096];
        let answer = match encode(&mut message) {
            Ok(length) => {
                message.truncate(length);
                Ok(Reply { message, slots: send.to_vec() })
            }
            Err(EncodeError::NoRoom) => Err(ExceptionCode::Failed.into()),
        };
        self.answer.replace(Some(answer));
    }

    pub fn fail(self, exception: Exception) {
        self.answer.replace(Some(Err(exception)));
    }
}
