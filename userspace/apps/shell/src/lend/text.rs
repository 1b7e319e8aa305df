//! The screen as a stream of bytes: where the last program of a pipeline writes to.

use super::console::LentConsole;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_pipe::Decoder;
use core::cell::RefCell;
use rt::generated::byte_stream::ByteStreamServer;
use rt::{CallContext, Exception, ExceptionCode};

/// Shows what is written to it; nothing can be read from it.
pub(super) struct LentText {
    console: Rc<LentConsole>,
    decoder: RefCell<Decoder>,
}

impl LentText {
    /// On the screen of this job.
    pub(super) fn new(console: Rc<LentConsole>) -> Self {
        LentText { console, decoder: RefCell::default() }
    }
}

impl ByteStreamServer for LentText {
    async fn read(&self, _cx: &CallContext, _max: u32) -> Result<Vec<u8>, Exception> {
        Err(Exception::from(ExceptionCode::Denied))
    }

    async fn write(&self, _cx: &CallContext, data: &[u8]) -> Result<(), Exception> {
        let text = self.decoder.borrow_mut().text(data);
        self.console.print(&text).await
    }
}
