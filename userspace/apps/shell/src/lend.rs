//! What the shell serves to the programs it starts: a console of its own making, and the two ends of a pipe.
//!
//! All facets are of one endpoint of the shell; the upper half of the badge says what, the lower half which.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_pipe::{Pipe, Read};
use capos_terminal::{DEFAULT_SIZE, LineEnd, Terminal};
use core::cell::{Cell, RefCell};
use kit::service::Handler;
use rt::generated::byte_stream::{ByteStreamServer, serve_byte_stream};
use rt::generated::console::{ConsoleServer, serve_console};
use rt::generated::{ByteStreamClient, ConsoleClient, EndpointClient};
use rt::schema::console::SizeResults;
use rt::{CallContext, CallError, Cap, Client, Exception, ExceptionCode, Lent, Request, Signal};

const CONSOLE: u64 = 1 << 32;
const WRITER: u64 = 2 << 32;
const READER: u64 = 3 << 32;

/// Most bytes that one read of a stream gives, as the interface says.
const MAX_READ: usize = 3072;

/// The terminal as a program in the foreground sees it.
pub struct LentConsole {
    screen: Lent<'static, ConsoleClient>,
    terminal: RefCell<Terminal>,
    changed: Signal,
    /// The person types to this one.
    foreground: Cell<bool>,
}

impl LentConsole {
    /// Passes on what was typed.
    pub fn typed(&self, byte: u8) {
        self.terminal.borrow_mut().typed(&[byte]);
        self.changed.notify();
    }

    /// In the background there is nothing to read: reads end.
    pub fn leave(&self) {
        self.foreground.set(false);
        self.changed.notify();
    }

    async fn print(&self, text: &str) -> Result<(), Exception> {
        self.screen.write(text).await.map_err(|_| Exception::from(ExceptionCode::Disconnected))
    }

    fn readable(&self) -> Result<(), Exception> {
        if self.foreground.get() { Ok(()) } else { Err(Exception::from(ExceptionCode::EndOfStream)) }
    }
}

impl ConsoleServer for LentConsole {
    async fn write(&self, _cx: &CallContext, text: &str) -> Result<(), Exception> {
        self.print(text).await
    }

    async fn read_keys(&self, cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        loop {
            self.readable()?;
            let keys = self.terminal.borrow_mut().read_keys(cx.badge(), max);
            if let Some(keys) = keys {
                return Ok(keys);
            }
            self.changed.wait().await;
        }
    }

    async fn read_line(&self, cx: &CallContext, prompt: &str) -> Result<String, Exception> {
        loop {
            self.readable()?;
            let changed = self.changed.wait();
            let mut out = String::new();
            let columns = usize::from(DEFAULT_SIZE.0);
            let end = self.terminal.borrow_mut().read_line(cx.badge(), prompt, columns, &mut out);
            if !out.is_empty() {
                self.print(&out).await?;
            }
            match end {
                Some(LineEnd::Line(line)) => return Ok(line),
                Some(LineEnd::End) => return Err(Exception::from(ExceptionCode::EndOfStream)),
                None => changed.await,
            }
        }
    }

    async fn size(&self, _cx: &CallContext) -> Result<SizeResults, Exception> {
        let (columns, rows) = DEFAULT_SIZE;
        Ok(SizeResults { columns, rows })
    }
}

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

    fn close_reader(&self) {
        self.pipe.borrow_mut().close_reader();
        self.changed.notify();
    }

    async fn read(&self, max: u32) -> Result<Vec<u8>, Exception> {
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
struct PipeEnd {
    pipe: Rc<LentPipe>,
    writes: bool,
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

/// The endpoint and everything behind it.
pub struct Lender {
    endpoint: EndpointClient,
    screen: &'static Cap,
    consoles: RefCell<BTreeMap<u64, Rc<LentConsole>>>,
    pipes: RefCell<BTreeMap<u64, Rc<LentPipe>>>,
    next: Cell<u32>,
}

impl Lender {
    /// Mints facets of `endpoint`; consoles show on `screen`.
    pub fn new(endpoint: EndpointClient, screen: &'static Cap) -> Lender {
        Lender {
            endpoint,
            screen,
            consoles: RefCell::default(),
            pipes: RefCell::default(),
            next: Cell::new(0),
        }
    }

    fn number(&self) -> u64 {
        self.next.set(self.next.get().wrapping_add(1));
        u64::from(self.next.get())
    }

    /// A console for the programs of one job.
    pub fn console(&self, foreground: bool) -> Rc<LentConsole> {
        Rc::new(LentConsole {
            screen: Lent::of(self.screen),
            terminal: RefCell::default(),
            changed: Signal::new(),
            foreground: Cell::new(foreground),
        })
    }

    /// A facet of it for one program.
    pub async fn console_facet(&self, console: &Rc<LentConsole>) -> Result<Cap, CallError> {
        let badge = CONSOLE | self.number();
        self.consoles.borrow_mut().insert(badge, Rc::clone(console));
        self.endpoint.mint(badge, ConsoleClient::ID).await
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
        if kind(badge) == CONSOLE {
            let console = self.consoles.borrow().get(&badge).cloned();
            match console {
                Some(console) => serve_console(&*console, request).await,
                None => request.fail(Exception::from(ExceptionCode::Disconnected)),
            }
            return;
        }
        let pipe = self.pipes.borrow().get(&badge).cloned();
        match pipe {
            Some(pipe) => serve_byte_stream(&PipeEnd { pipe, writes: kind(badge) == WRITER }, request).await,
            None => request.fail(Exception::from(ExceptionCode::Disconnected)),
        }
    }

    fn gone(&self, badge: u64) {
        if let Some(console) = self.consoles.borrow_mut().remove(&badge) {
            console.terminal.borrow_mut().gone(badge);
            console.changed.notify();
        }
        let pipe = self.pipes.borrow_mut().remove(&badge);
        match pipe {
            Some(pipe) if kind(badge) == WRITER => pipe.close_writer(),
            Some(pipe) => pipe.close_reader(),
            None => {}
        }
    }
}
