//! What the person types, read ahead.
//!
//! One read is always under way and never cancelled: a cancelled read could swallow a key. Whoever wants keys takes them from
//! here, be it the line editor, a program in the foreground or a command that ends at a key press.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use rt::generated::ConsoleClient;
use rt::{CallError, Lent, Signal, spawn};

/// Ctrl-C.
pub const INTERRUPT: u8 = 3;

/// Bytes kept; while there are so many no more are read.
const ROOM: usize = 1024;

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
            if let Some(error) = self.end.take() {
                self.end.set(Some(error.clone()));
                return Err(error);
            }
            self.changed.wait().await;
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
