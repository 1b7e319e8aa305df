//! The line as a `ByteStream`.

use crate::device::Device;
use crate::input::Input;
use alloc::rc::Rc;
use alloc::vec::Vec;
use kit::service::{Handler, export_of};
use rt::generated::byte_stream::{ByteStreamServer, serve_byte_stream};
use rt::generated::shared_queue::serve_shared_queue;
use rt::schema::byte_stream::READ;
use rt::{CallContext, Exception, ExceptionCode, Request, Turn};

/// Most bytes that one read gives, as the interface says.
const MAX_READ: usize = 3072;

/// Everybody's view of the line. Who reads gets what comes next; writes follow one another whole.
pub struct Stream {
    device: Rc<Device>,
    writing: Turn,
    input: Input,
    /// Which of our exports is that of `input`.
    input_export: Option<u32>,
}

impl Stream {
    /// Over this device; one of our exports may be its input as a shared queue.
    pub fn new(device: Rc<Device>, input_export: Option<u32>) -> Self {
        Stream { input: Input::new(Rc::clone(&device)), device, writing: Turn::new(), input_export }
    }

    fn is_for_input(&self, request: &Request) -> bool {
        self.input_export == Some(export_of(request.context().badge()))
    }
}

impl Handler for Stream {
    async fn call(self: Rc<Self>, request: Request) {
        if self.is_for_input(&request) {
            return serve_shared_queue(&self.input, request).await;
        }
        serve_byte_stream(&*self, request).await;
    }

    fn may_wait(&self, request: &Request) -> bool {
        request.method() == READ && !self.is_for_input(request)
    }

    fn gone(&self, _badge: u64) {}
}

impl ByteStreamServer for Stream {
    async fn read(&self, _cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        let max = usize::try_from(max).unwrap_or(MAX_READ).clamp(1, MAX_READ);
        loop {
            let waiting = self.device.uart.borrow().received();
            if waiting > 0 {
                let mut bytes = alloc::vec![0; waiting.min(max)];
                let count = self.device.uart.borrow_mut().receive(&mut bytes);
                bytes.truncate(count);
                self.device.work.notify();
                return Ok(bytes);
            }
            self.device.received.wait().await;
        }
    }

    async fn write(&self, _cx: &CallContext, data: &[u8]) -> Result<(), Exception> {
        let _turn = self.writing.take().await;
        let given_up = self.device.given_up.get();
        let mut rest = data;
        loop {
            let taken = self.device.uart.borrow_mut().send(rest);
            rest = rest.get(taken..).unwrap_or(&[]);
            self.device.work.notify();
            if rest.is_empty() {
                return Ok(());
            }
            self.device.room.wait().await;
            if self.device.given_up.get() != given_up {
                return Err(Exception::new(ExceptionCode::DeviceFault, "the transmitter is stuck"));
            }
        }
    }
}
