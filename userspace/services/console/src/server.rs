//! `Console` for every client.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_terminal::{DEFAULT_SIZE, LineEnd, Terminal};
use core::cell::RefCell;
use kit::queue::Receiver;
use kit::service::Handler;
use rt::generated::console::{ConsoleServer, serve_console};
use rt::generated::{ByteStreamClient, SharedQueueClient};
use rt::queue::bytes::unpack;
use rt::schema::console::{READ_KEYS, READ_LINE, SizeResults};
use rt::{CallContext, CallError, Exception, ExceptionCode, Request, Signal, TransportError, Turn};

/// Bytes that one write to the line carries.
const CHUNK: usize = 2048;

/// Words of an entry of the input queue: 64 bytes.
const WORDS: usize = 8;

/// Its entries: what is in there is lost with us, so few.
const ENTRIES: u32 = 8;

/// Disconnects in a row after which the line is taken to be gone for good.
const PATIENCE: u32 = 100;

/// The terminal and its clients.
pub struct Server {
    line: ByteStreamClient,
    terminal: RefCell<Terminal>,
    /// Something was typed, or somebody who read is gone.
    changed: Signal,
    /// Something typed was read, so that there is room for more.
    taken: Signal,
    /// The input went to somebody who has prompted already.
    handed_over: Signal,
    sending: Turn,
}

impl Server {
    /// A terminal at the end of `line`.
    pub fn new(line: ByteStreamClient) -> Self {
        Server {
            line,
            terminal: RefCell::new(Terminal::new()),
            changed: Signal::new(),
            taken: Signal::new(),
            handed_over: Signal::new(),
            sending: Turn::new(),
        }
    }

    /// Writes as if `client` had asked.
    pub async fn print(&self, client: u64, text: &str) -> Result<(), CallError> {
        // The turn comes first: what is translated in order is sent in order.
        let _turn = self.sending.take().await;
        let bytes = self.terminal.borrow_mut().write(client, text);
        self.send(&bytes).await
    }

    /// Puts what was typed where it is read from, as fast as it is read.
    async fn take_in(&self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let room = self.taken.wait();
            let taken = self.terminal.borrow_mut().typed(rest);
            rest = rest.get(taken..).unwrap_or(&[]);
            self.changed.notify();
            if rest.is_empty() {
                return;
            }
            room.await;
        }
    }

    /// Sends bytes while holding the turn.
    async fn send(&self, bytes: &[u8]) -> Result<(), CallError> {
        for chunk in bytes.chunks(CHUNK) {
            let mut tries = 0;
            while let Err(error) = self.line.write(chunk).await {
                tries += 1;
                if tries >= PATIENCE || !error.is_disconnect() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Brings in what is typed, until the line is gone for good.
///
/// No more is read from the line than is read from us: what nobody reads stays with the driver, then in the device, and at last
/// with whoever sends it. Nothing is looked for in it on the way; a key that must get through to a program that does not read,
/// Ctrl-C, is the business of who reads on that program's behalf (the shell reads ahead for it).
pub async fn pump(server: Rc<Server>, input: SharedQueueClient) -> CallError {
    let mut tries = 0;
    loop {
        match Receiver::open(&input, ENTRIES).await {
            Ok(queue) => {
                if drain(&server, queue).await {
                    tries = 0;
                }
            }
            Err(error) if !error.is_disconnect() => return error,
            Err(_) => {}
        }
        tries += 1;
        if tries > PATIENCE {
            return CallError::Transport(TransportError::Disconnected);
        }
    }
}

/// Takes in what comes until the driver is gone, or writes nonsense; its successor opens the queue anew. True when anything came.
async fn drain(server: &Server, mut queue: Receiver<WORDS>) -> bool {
    let mut came = false;
    let mut entries = [[0; WORDS]; ENTRIES as usize];
    while let Ok(count) = queue.pop_all(&mut entries).await {
        let mut bytes = Vec::new();
        for entry in entries.iter().take(count) {
            unpack(entry, |byte| bytes.push(byte));
        }
        server.take_in(&bytes).await;
        came = true;
    }
    came
}

/// Shows the prompt of whoever gets the input when the one before is gone.
pub async fn hand_over(server: Rc<Server>) {
    let mut next = server.handed_over.wait();
    loop {
        next.await;
        next = server.handed_over.wait();
        let _turn = server.sending.take().await;
        let bytes = server.terminal.borrow_mut().handover();
        // A line that is gone for good ends the pump, and with it the service.
        let _ = server.send(&bytes).await;
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        serve_console(&*self, request).await;
    }

    fn may_wait(&self, request: &Request) -> bool {
        matches!(request.method(), READ_KEYS | READ_LINE)
    }

    fn gone(&self, badge: u64) {
        if self.terminal.borrow_mut().gone(badge) {
            self.handed_over.notify();
        }
        self.changed.notify();
    }
}

impl ConsoleServer for Server {
    async fn write(&self, cx: &CallContext, text: &str) -> Result<(), Exception> {
        self.print(cx.badge(), text).await.map_err(|_| Exception::from(ExceptionCode::Disconnected))
    }

    async fn read_keys(&self, cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        loop {
            let keys = self.terminal.borrow_mut().read_keys(cx.badge(), max);
            if let Some(keys) = keys {
                self.taken.notify();
                return Ok(keys);
            }
            self.changed.wait().await;
        }
    }

    async fn read_line(&self, cx: &CallContext, prompt: &str) -> Result<String, Exception> {
        let columns = usize::from(DEFAULT_SIZE.0);
        loop {
            let turn = self.sending.take().await;
            let changed = self.changed.wait();
            let mut out = String::new();
            let end = self.terminal.borrow_mut().read_line(cx.badge(), prompt, columns, &mut out);
            self.taken.notify();
            if !out.is_empty() {
                let sent = self.send(out.as_bytes()).await;
                sent.map_err(|_| Exception::from(ExceptionCode::Disconnected))?;
            }
            drop(turn);
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
