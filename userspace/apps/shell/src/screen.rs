//! Text on its way to the console.

use crate::keyboard::PATIENCE;
use crate::trouble::Trouble;
use alloc::string::String;
use capos_terminal::Shown;
use core::cell::RefCell;
use rt::generated::ConsoleClient;
use rt::{CallError, Lent, Turn};

/// Bytes of text that one write carries.
const CHUNK: usize = 3000;

/// The console as the shell and its programs write to it.
pub struct Screen {
    console: Lent<'static, ConsoleClient>,
    columns: usize,
    /// The prompt and what was typed behind it.
    shown: RefCell<Shown>,
    writing: Turn,
}

impl Screen {
    /// A screen that is so wide.
    pub fn new(console: Lent<'static, ConsoleClient>, columns: usize) -> Self {
        Screen { console, columns, shown: RefCell::default(), writing: Turn::new() }
    }

    /// Writes where the cursor is.
    pub async fn write(&self, text: &str) -> Result<(), CallError> {
        let _turn = self.writing.take().await;
        self.shown.borrow_mut().wrote(text);
        self.send(text).await
    }

    /// Writes above the line that is being edited: for programs in the background.
    pub async fn write_above(&self, text: &str) -> Result<(), CallError> {
        let _turn = self.writing.take().await;
        let mut whole = String::new();
        let idle = self.shown.borrow().is_empty();
        self.shown.borrow().hide(self.columns, &mut whole);
        whole.push_str(text);
        if !idle {
            if !text.ends_with('\n') {
                whole.push('\n');
            }
            self.shown.borrow().show(&mut whole);
        }
        self.send(&whole).await
    }

    async fn send(&self, text: &str) -> Result<(), CallError> {
        let mut rest = text;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.floor_char_boundary(CHUNK));
            self.send_chunk(now).await?;
            rest = later;
        }
        Ok(())
    }

    /// One write; again if the console is restarted under it.
    async fn send_chunk(&self, text: &str) -> Result<(), CallError> {
        let mut lost = 0;
        loop {
            match self.console.write(text).await {
                Err(error) if error.is_disconnect() && lost < PATIENCE => lost += 1,
                result => return result,
            }
        }
    }
}

/// Writes text of any length.
pub async fn print(screen: &Screen, text: &str) -> Result<(), Trouble> {
    screen.write(text).await.map_err(Trouble::Terminal)
}
