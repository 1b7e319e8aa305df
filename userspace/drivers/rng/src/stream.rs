//! Random bytes as a `ByteStream`.

use crate::stock::Stock;
use alloc::rc::Rc;
use alloc::vec::Vec;
use kit::service::Handler;
use rt::generated::byte_stream::{ByteStreamServer, serve_byte_stream};
use rt::schema::byte_stream::READ;
use rt::{CallContext, Exception, ExceptionCode, Request};

/// What everybody reads; each byte is read once.
pub struct Stream {
    stock: Rc<Stock>,
}

impl Stream {
    /// Of what the device gives.
    pub fn new(stock: Rc<Stock>) -> Self {
        Stream { stock }
    }
}

impl Handler for Stream {
    async fn call(self: Rc<Self>, request: Request) {
        serve_byte_stream(&*self, request).await;
    }

    fn may_wait(&self, request: &Request) -> bool {
        request.method() == READ
    }

    fn gone(&self, _badge: u64) {}
}

impl ByteStreamServer for Stream {
    async fn read(&self, _cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        Ok(self.stock.take(usize::try_from(max).unwrap_or(usize::MAX).max(1)).await)
    }

    async fn write(&self, _cx: &CallContext, _data: &[u8]) -> Result<(), Exception> {
        Err(Exception::new(ExceptionCode::Unsupported, "the device takes no bytes"))
    }
}
