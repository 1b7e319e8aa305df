//! Random bytes as a `ByteStream`.

use crate::device::Device;
use alloc::rc::Rc;
use alloc::vec::Vec;
use kit::service::Handler;
use rt::generated::byte_stream::{ByteStreamServer, serve_byte_stream};
use rt::{CallContext, Exception, ExceptionCode, Request};

/// What everybody reads; each byte is read once.
pub struct Stream {
    device: Rc<Device>,
}

impl Stream {
    /// Of this device.
    pub fn new(device: Rc<Device>) -> Self {
        Stream { device }
    }
}

impl Handler for Stream {
    async fn call(self: Rc<Self>, request: Request) {
        serve_byte_stream(&*self, request).await;
    }

    fn gone(&self, _badge: u64) {}
}

impl ByteStreamServer for Stream {
    async fn read(&self, _cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        Ok(self.device.take(usize::try_from(max).unwrap_or(usize::MAX).max(1)).await)
    }

    async fn write(&self, _cx: &CallContext, _data: &[u8]) -> Result<(), Exception> {
        Err(Exception::new(ExceptionCode::Unsupported, "the device takes no bytes"))
    }
}
