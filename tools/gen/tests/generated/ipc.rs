//! Calls that reach the server in the same thread.

use std::cell::RefCell;
use std::rc::Rc;

use capos_abi::TransferSlot;
use capos_schema::{DecodeError, EncodeError};

use crate::cap::Cap;
use crate::serve::{Exception, Request};

/// Why a call gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum CallError {
    /// The server said so.
    Exception(Exception),
    /// The parameters did not fit.
    Encode(EncodeError),
    /// The answer is malformed.
    Decode(DecodeError),
    /// The answer lacks a capability.
    MissingCap,
}

impl From<DecodeError> for CallError {
    fn from(error: DecodeError) -> Self {
        CallError::Decode(error)
    }
}

/// What a server answered.
#[derive(Debug, Default)]
pub struct Reply {
    /// The message.
    pub message: Vec<u8>,
    /// The words beside it.
    pub slots: Vec<TransferSlot>,
}

impl Reply {
    /// The message.
    pub fn bytes(&self) -> &[u8] {
        &self.message
    }

    /// Takes a capability.
    pub fn take_cap(&self, n: usize) -> Result<Cap, CallError> {
        self.slots.get(n).map(|slot| Cap(slot.id())).ok_or(CallError::MissingCap)
    }
}

/// A call as it would be on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub interface: u64,
    pub method: u16,
    pub slots: Vec<TransferSlot>,
    pub room_for_caps: usize,
    pub room: usize,
}

type Server = Rc<dyn Fn(Request)>;

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<Sent>> = const { RefCell::new(None) };
}

/// Lets `server` answer the calls of this thread.
pub fn install(server: impl Fn(Request) + 'static) {
    SERVER.set(Some(Rc::new(server)));
}

/// The last call of this thread.
pub fn last() -> Sent {
    LAST.take().expect("there was a call")
}

/// Calls and waits.
pub fn call_blocking<E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>>(
    _: &Cap,
    interface: u64,
    method: u16,
    encode: E,
    send: &[TransferSlot],
    room_for_caps: usize,
    room: usize,
) -> Result<Reply, CallError> {
    let mut message = vec![0x55; 4096];
    let length = encode(&mut message).map_err(CallError::Encode)?;
    message.truncate(length);
    let slots = send.to_vec();
    LAST.set(Some(Sent { interface, method, slots: slots.clone(), room_for_caps, room }));
    let (request, answer) = Request::new(method, message, slots);
    let server = SERVER.with_borrow(Clone::clone).expect("there is a server");
    server(request);
    answer.take().expect("the server answered").map_err(CallError::Exception)
}

/// The same as a future, which is ready at once.
pub async fn call<E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>>(
    cap: &Cap,
    interface: u64,
    method: u16,
    encode: E,
    send: &[TransferSlot],
    room_for_caps: usize,
    room: usize,
) -> Result<Reply, CallError> {
    call_blocking(cap, interface, method, encode, send, room_for_caps, room)
}

/// A call without capabilities.
pub fn ask<E, D, R>(cap: &Cap, interface: u64, method: u16, encode: E, decode: D) -> Result<R, CallError>
where
    E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
    D: FnOnce(&[u8]) -> Result<R, DecodeError>,
{
    let reply = call_blocking(cap, interface, method, encode, &[], 0, 4096)?;
    assert!(reply.slots.is_empty(), "no capability was asked for");
    Ok(decode(reply.bytes())?)
}
