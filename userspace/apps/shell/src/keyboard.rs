//! What the person types, read ahead.
//!
//! One read is always under way and never cancelled: a cancelled read could swallow a key. Whoever wants keys takes them from
//! here, be it the line editor, a program in the foreground or a command that ends at a key press. What nobody takes stays for
//! the next: lines pasted behind a command are not its input just because it was running when they arrived.
//!
//! Reading ahead is also how Ctrl-C gets through to a program that does not read. It is looked for in what was read ahead, and
//! like on other systems it discards what was typed before it. The look-ahead is bounded: who pastes more than that into a
//! program that reads nothing waits, and so does a Ctrl-C behind it.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use rt::generated::ConsoleClient;
use rt::{CallError, Lent, Signal, spawn};

/// Ctrl-C.
const INTERRUPT: u8 = 3;

/// Bytes kept; while there are so many no more are read.
const ROOM: usize = 16 * 1024;

/// How often in a row the console may go away and come back under a call.
pub const PATIENCE: u32 = 100;

/// The keys.
#[derive(Default)]
pub struct Keyboard {
    bytes: RefCell<VecDeque<u8>>,
    changed: Signal,
    end: Cell<Option<CallError>>,
}

impl Keyboard {
    /// Starts reading from a console.
    pub fn start(console: Lent<'static, ConsoleClient>) -> Rc<Keyboard> {
        let keyboard = Rc::new(Keyboard::default());
        spawn(pump(Rc::clone(&keyboard), console));
        keyboard
    }

    /// The next byte.
    pub async fn next(&self) -> Result<u8, CallError> {
        loop {
            if let Some(byte) = self.take() {
                return Ok(byte);
            }
            self.more().await?;
        }
    }

    /// A byte that is there already.
    pub fn take(&self) -> Option<u8> {
        let byte = self.bytes.borrow_mut().pop_front();
        if byte.is_some() {
            self.changed.notify();
        }
        byte
    }

    /// A byte for a program, which Ctrl-C does not reach.
    pub fn take_for_program(&self) -> Option<u8> {
        let first = self.bytes.borrow().front().copied();
        if first == Some(INTERRUPT) { None } else { self.take() }
    }

    /// Waits for Ctrl-C, and takes it with everything before it.
    pub async fn interrupted(&self) -> Result<(), CallError> {
        loop {
            let at = self.bytes.borrow().iter().position(|byte| *byte == INTERRUPT);
            if let Some(at) = at {
                self.bytes.borrow_mut().drain(..=at);
                self.changed.notify();
                return Ok(());
            }
            self.more().await?;
        }
    }

    /// Waits until something was typed or taken; fails when nothing will be any more.
    pub async fn more(&self) -> Result<(), CallError> {
        match self.end() {
            Some(error) => Err(error),
            None => {
                self.changed.wait().await;
                Ok(())
            }
        }
    }

    fn end(&self) -> Option<CallError> {
        let end = self.end.take();
        self.end.set(end.clone());
        end
    }
}

async fn pump(keyboard: Rc<Keyboard>, console: Lent<'static, ConsoleClient>) {
    let mut lost = 0;
    loop {
        while keyboard.bytes.borrow().len() >= ROOM {
            keyboard.changed.wait().await;
        }
        match console.read_keys(256).await {
            Ok(keys) => {
                lost = 0;
                keyboard.bytes.borrow_mut().extend(keys);
            }
            Err(error) if error.is_disconnect() && lost < PATIENCE => lost += 1,
            Err(error) => {
                keyboard.end.set(Some(error));
                keyboard.changed.notify();
                return;
            }
        }
        keyboard.changed.notify();
    }
}
