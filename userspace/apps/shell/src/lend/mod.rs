//! What the shell serves to the programs it starts: a console of its own making, the two ends of a pipe, and the screen as the
//! end of a pipeline.
//!
//! All facets are of one endpoint of the shell; the upper half of the badge says what, the lower half which.

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

const CONSOLE: u64 = 1 << 32;
const WRITER: u64 = 2 << 32;
const READER: u64 = 3 << 32;
const TEXT: u64 = 4 << 32;

/// The endpoint and everything behind it.
pub struct Lender {
    endpoint: EndpointClient,
    screen: Rc<Screen>,
    keyboard: Rc<Keyboard>,
    consoles: RefCell<BTreeMap<u64, Rc<LentConsole>>>,
    pipes: RefCell<BTreeMap<u64, Rc<LentPipe>>>,
    texts: RefCell<BTreeMap<u64, Rc<LentText>>>,
    next: Cell<u32>,
}

impl Lender {
    /// Mints facets of `endpoint`; consoles show on `screen` and read from `keyboard`.
    pub fn new(endpoint: EndpointClient, screen: Rc<Screen>, keyboard: Rc<Keyboard>) -> Lender {
        Lender {
            endpoint,
            screen,
            keyboard,
            consoles: RefCell::default(),
            pipes: RefCell::default(),
            texts: RefCell::default(),
            next: Cell::new(0),
        }
    }

    fn number(&self) -> u64 {
        self.next.set(self.next.get().wrapping_add(1));
        u64::from(self.next.get())
    }

    /// A console for the programs of one job.
    pub fn console(&self, foreground: bool) -> Rc<LentConsole> {
        Rc::new(LentConsole::new(Rc::clone(&self.screen), Rc::clone(&self.keyboard), foreground))
    }

    /// A facet of it for one program.
    pub async fn console_facet(&self, console: &Rc<LentConsole>) -> Result<Cap, CallError> {
        let badge = CONSOLE | self.number();
        self.consoles.borrow_mut().insert(badge, Rc::clone(console));
        self.endpoint.mint(badge, ConsoleClient::ID).await
    }

    /// A stream that shows what is written to it where `console` shows its text.
    pub async fn text(&self, console: &Rc<LentConsole>) -> Result<Cap, CallError> {
        let badge = TEXT | self.number();
        self.texts.borrow_mut().insert(badge, Rc::new(LentText::new(Rc::clone(console))));
        self.endpoint.mint(badge, ByteStreamClient::ID).await
    }

    /// The writing end of a pipe.
    pub async fn writer(&self, pipe: &Rc<LentPipe>) -> Result<Cap, CallError> {
        let badge = WRITER | self.number();
        self.pipes.borrow_mut().insert(badge, Rc::clone(pipe));
        self.endpoint.mint(badge, ByteStreamClient::ID).await
    }

    /// The reading end of a pipe.
    pub async fn reader(&self, pipe: &Rc<LentPipe>) -> Result<Cap, CallError> {
        let badge = READER | self.number();
        self.pipes.borrow_mut().insert(badge, Rc::clone(pipe));
        self.endpoint.mint(badge, ByteStreamClient::ID).await
    }
}

/// Which kind of thing a badge stands for.
fn kind(badge: u64) -> u64 {
    badge & !0xffff_ffff
}

impl Handler for Lender {
    async fn call(self: Rc<Self>, request: Request) {
        let badge = request.context().badge();
        let console = self.consoles.borrow().get(&badge).cloned();
        let text = self.texts.borrow().get(&badge).cloned();
        let pipe = self.pipes.borrow().get(&badge).cloned();
        match (console, text, pipe) {
            (Some(console), ..) => serve_console(&*console, request).await,
            (_, Some(text), _) => serve_byte_stream(&*text, request).await,
            (.., Some(pipe)) => {
                serve_byte_stream(&PipeEnd { pipe, writes: kind(badge) == WRITER }, request).await
            }
            _ => request.fail(Exception::from(ExceptionCode::Disconnected)),
        }
    }

    fn gone(&self, badge: u64) {
        self.texts.borrow_mut().remove(&badge);
        if let Some(console) = self.consoles.borrow_mut().remove(&badge) {
            console.gone(badge);
        }
        let pipe = self.pipes.borrow_mut().remove(&badge);
        match pipe {
            Some(pipe) if kind(badge) == WRITER => pipe.close_writer(),
            Some(pipe) => pipe.close_reader(),
            None => {}
        }
    }
}
