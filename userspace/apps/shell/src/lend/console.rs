//! The terminal as the programs of one job see it.

use crate::keyboard::Keyboard;
use crate::screen::Screen;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_terminal::{DEFAULT_SIZE, INPUT_ROOM, LineEnd, Terminal};
use core::cell::{Cell, RefCell};
use rt::generated::console::ConsoleServer;
use rt::schema::console::SizeResults;
use rt::{CallContext, Either, Exception, ExceptionCode, Signal, select};

/// What one job is lent of the terminal.
///
/// Keys are taken from the keyboard when a program reads, one by one as it needs them: what it does not read is there for the
/// shell when it is gone.
pub struct LentConsole {
    screen: Rc<Screen>,
    keyboard: Rc<Keyboard>,
    terminal: RefCell<Terminal>,
    /// Who holds the input is gone, or the job is not in the foreground any more.
    changed: Signal,
    /// The person types to this one.
    foreground: Cell<bool>,
}

impl LentConsole {
    /// With nothing read yet.
    pub(super) fn new(screen: Rc<Screen>, keyboard: Rc<Keyboard>, foreground: bool) -> Self {
        LentConsole {
            screen,
            keyboard,
            terminal: RefCell::default(),
            changed: Signal::new(),
            foreground: Cell::new(foreground),
        }
    }

    /// In the background there is nothing to read: reads end.
    pub fn leave(&self) {
        self.foreground.set(false);
        self.changed.notify();
    }

    /// Shows text; that of a program in the background goes above the line that is being typed.
    pub async fn print(&self, text: &str) -> Result<(), Exception> {
        let printed = match self.foreground.get() {
            true => self.screen.write(text).await,
            false => self.screen.write_above(text).await,
        };
        printed.map_err(|_| Exception::from(ExceptionCode::Disconnected))
    }

    /// A program is gone: the input goes to the next that asked.
    pub(super) fn gone(&self, badge: u64) {
        self.terminal.borrow_mut().gone(badge);
        self.changed.notify();
    }

    /// Fails when the person does not type to this job.
    fn readable(&self) -> Result<(), Exception> {
        if self.foreground.get() { Ok(()) } else { Err(Exception::from(ExceptionCode::EndOfStream)) }
    }

    /// The next key as the terminal's input; false when there is none.
    fn key(&self) -> bool {
        let byte = self.keyboard.take_for_program();
        byte.is_some_and(|byte| self.terminal.borrow_mut().typed(&[byte]) == 1)
    }

    /// Waits until reading again may give something.
    async fn more(&self) -> Result<(), Exception> {
        match select(self.keyboard.more(), self.changed.wait()).await {
            Either::First(Err(_)) => Err(Exception::from(ExceptionCode::EndOfStream)),
            Either::First(Ok(())) | Either::Second(()) => Ok(()),
        }
    }

    /// Feeds the line that `badge` reads until it is done; `None` when more must be typed first.
    fn feed_line(&self, badge: u64, prompt: &str, out: &mut String) -> Option<LineEnd> {
        let columns = usize::from(DEFAULT_SIZE.0);
        loop {
            let end = self.terminal.borrow_mut().read_line(badge, prompt, columns, out);
            if end.is_some() || !self.terminal.borrow().holds_input(badge) || !self.key() {
                return end;
            }
        }
    }
}

impl ConsoleServer for LentConsole {
    async fn write(&self, _cx: &CallContext, text: &str) -> Result<(), Exception> {
        self.print(text).await
    }

    async fn read_keys(&self, cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        let max = usize::try_from(max).unwrap_or(INPUT_ROOM).clamp(1, INPUT_ROOM);
        loop {
            self.readable()?;
            let mut keys = Vec::new();
            while keys.len() < max && self.terminal.borrow_mut().ask_for_input(cx.badge()) && self.key() {
                keys.extend(self.terminal.borrow_mut().read_keys(cx.badge(), 1).unwrap_or_default());
            }
            if !keys.is_empty() {
                return Ok(keys);
            }
            self.more().await?;
        }
    }

    async fn read_line(&self, cx: &CallContext, prompt: &str) -> Result<String, Exception> {
        loop {
            self.readable()?;
            let mut out = String::new();
            let end = self.feed_line(cx.badge(), prompt, &mut out);
            let said = !out.is_empty();
            if said {
                self.print(&out).await?;
            }
            match end {
                Some(LineEnd::Line(line)) => return Ok(line),
                Some(LineEnd::End) => return Err(Exception::from(ExceptionCode::EndOfStream)),
                // Something may have been typed while that was printed.
                None if said => {}
                None => self.more().await?,
            }
        }
    }

    async fn size(&self, _cx: &CallContext) -> Result<SizeResults, Exception> {
        let (columns, rows) = DEFAULT_SIZE;
        Ok(SizeResults { columns, rows })
    }
}
