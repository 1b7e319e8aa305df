//! Pipes between programs, as byte streams.

use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_pipe::{Pipe, Read};
use core::cell::RefCell;
use rt::generated::byte_stream::ByteStreamServer;
use rt::{CallContext, Exception, ExceptionCode, Signal};

/// Most bytes that one read of a stream gives, as the interface says.
const MAX_READ: usize = 3072;

/// A pipe that is served.
#[derive(Default)]
pub struct LentPipe {
    pipe: RefCell<Pipe>,
    changed: Signal,
}

impl LentPipe {
    /// Writes all bytes, waiting for room.
    pub async fn write_all(&self, bytes: &[u8]) -> Result<(), Exception> {
        let mut rest = bytes;
        loop {
            let taken = self.pipe.borrow_mut().write(rest);
            let taken = taken.map_err(|_| Exception::new(ExceptionCode::Disconnected, "nobody reads"))?;
            rest = rest.get(taken..).unwrap_or(&[]);
            self.changed.notify();
            if rest.is_empty() {
                return Ok(());
            }
            self.changed.wait().await;
        }
    }

    /// Nobody will write any more.
    pub fn close_writer(&self) {
        self.pipe.borrow_mut().close_writer();
        self.changed.notify();
    }

    pub(super) fn close_reader(&self) {
        self.pipe.borrow_mut().close_reader();
        self.changed.notify();
    }

    /// Reads some bytes as soon as there are any; `endOfStream` when nobody will write any more.
    pub async fn read(&self, max: u32) -> Result<Vec<u8>, Exception> {
        let max = usize::try_from(max).unwrap_or(MAX_READ).clamp(1, MAX_READ);
        loop {
            let read = self.pipe.borrow_mut().read(max);
            match read {
                Read::Data(bytes) => {
                    self.changed.notify();
                    return Ok(bytes);
                }
                Read::End => return Err(Exception::from(ExceptionCode::EndOfStream)),
                Read::Wait => self.changed.wait().await,
            }
        }
    }
}

/// One end of a pipe as a byte stream; the other direction is denied.
pub(super) struct PipeEnd {
    pub(super) pipe: Rc<LentPipe>,
    pub(super) writes: bool,
}

impl ByteStreamServer for PipeEnd {
    async fn read(&self, _cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        if self.writes { Err(Exception::from(ExceptionCode::Denied)) } else { self.pipe.read(max).await }
    }

    async fn write(&self, _cx: &CallContext, data: &[u8]) -> Result<(), Exception> {
        if self.writes {
            self.pipe.write_all(data).await
        } else {
            Err(Exception::from(ExceptionCode::Denied))
        }
    }
}
