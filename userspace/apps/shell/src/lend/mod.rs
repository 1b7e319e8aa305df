//! What the shell serves to the programs it starts: a console of its own making, the two ends of a pipe, and the screen as the
//! end of a pipeline.
//!
//! All facets are of one endpoint of the shell; the badge is a number that says which.

mod console;
mod pipe;
mod text;

pub use console::LentConsole;
pub use pipe::LentPipe;

use crate::keyboard::Keyboard;
use crate::screen::Screen;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use kit::service::Handler;
use pipe::PipeEnd;
use rt::generated::byte_stream::serve_byte_stream;
use rt::generated::console::serve_console;
use rt::generated::{ByteStreamClient, ConsoleClient, EndpointClient};
use rt::{CallError, Cap, Client, Exception, ExceptionCode, Request};
use text::LentText;

/// What a facet stands for.
#[derive(Clone)]
enum LentThing {
    Console(Rc<LentConsole>),
    Text(Rc<LentText>),
    Writer(Rc<LentPipe>),
    Reader(Rc<LentPipe>),
}

/// The endpoint and everything behind it.
pub struct Lender {
    endpoint: EndpointClient,
    screen: Rc<Screen>,
    keyboard: Rc<Keyboard>,
    lent: RefCell<BTreeMap<u64, LentThing>>,
    next: Cell<u64>,
}

impl Lender {
    /// Mints facets of `endpoint`; consoles show on `screen` and read from `keyboard`.
    pub fn new(endpoint: EndpointClient, screen: Rc<Screen>, keyboard: Rc<Keyboard>) -> Lender {
        Lender { endpoint, screen, keyboard, lent: RefCell::default(), next: Cell::new(0) }
    }

    async fn facet(&self, thing: LentThing, interface: u64) -> Result<Cap, CallError> {
        self.next.set(self.next.get().wrapping_add(1));
        let badge = self.next.get();
        self.lent.borrow_mut().insert(badge, thing);
        self.endpoint.mint(badge, interface).await
    }

    /// A console for the programs of one job.
    pub fn console(&self, foreground: bool) -> Rc<LentConsole> {
        Rc::new(LentConsole::new(Rc::clone(&self.screen), Rc::clone(&self.keyboard), foreground))
    }

    /// A facet of it for one program.
    pub async fn console_facet(&self, console: &Rc<LentConsole>) -> Result<Cap, CallError> {
        self.facet(LentThing::Console(Rc::clone(console)), ConsoleClient::ID).await
    }

    /// A stream that shows what is written to it where `console` shows its text.
    pub async fn text(&self, console: &Rc<LentConsole>) -> Result<Cap, CallError> {
        let text = Rc::new(LentText::new(Rc::clone(console)));
        self.facet(LentThing::Text(text), ByteStreamClient::ID).await
    }

    /// The writing end of a pipe.
    pub async fn writer(&self, pipe: &Rc<LentPipe>) -> Result<Cap, CallError> {
        self.facet(LentThing::Writer(Rc::clone(pipe)), ByteStreamClient::ID).await
    }

    /// The reading end of a pipe.
    pub async fn reader(&self, pipe: &Rc<LentPipe>) -> Result<Cap, CallError> {
        self.facet(LentThing::Reader(Rc::clone(pipe)), ByteStreamClient::ID).await
    }
}

impl Handler for Lender {
    async fn call(self: Rc<Self>, request: Request) {
        let thing = self.lent.borrow().get(&request.context().badge()).cloned();
        match thing {
            Some(LentThing::Console(console)) => serve_console(&*console, request).await,
            Some(LentThing::Text(text)) => serve_byte_stream(&*text, request).await,
            Some(LentThing::Writer(pipe)) => {
                serve_byte_stream(&PipeEnd { pipe, writes: true }, request).await
            }
            Some(LentThing::Reader(pipe)) => {
                serve_byte_stream(&PipeEnd { pipe, writes: false }, request).await
            }
            None => request.fail(Exception::from(ExceptionCode::Disconnected)),
        }
    }

    fn gone(&self, badge: u64) {
        let thing = self.lent.borrow_mut().remove(&badge);
        match thing {
            Some(LentThing::Console(console)) => console.gone(badge),
            Some(LentThing::Writer(pipe)) => pipe.close_writer(),
            Some(LentThing::Reader(pipe)) => pipe.close_reader(),
            Some(LentThing::Text(_)) | None => {}
        }
    }
}
