//! Who holds the input.

use alloc::collections::VecDeque;

/// Clients that may wait for the input; more are told to ask again.
const WAITING: usize = 64;

/// The holder and the queue behind it.
#[derive(Default)]
pub struct Focus {
    holder: Option<u64>,
    waiting: VecDeque<u64>,
}

impl Focus {
    /// Asks for the input; true when `client` has it now. Asking again while waiting does not count twice.
    pub fn request(&mut self, client: u64) -> bool {
        match self.holder {
            None => {
                self.holder = Some(client);
                true
            }
            Some(holder) if holder == client => true,
            Some(_) => {
                if self.waiting.len() < WAITING && !self.waiting.contains(&client) {
                    self.waiting.push_back(client);
                }
                false
            }
        }
    }

    /// Who has the input.
    pub fn holder(&self) -> Option<u64> {
        self.holder
    }

    /// Whether `client` has the input.
    pub fn holds(&self, client: u64) -> bool {
        self.holder == Some(client)
    }

    /// `client` is gone.
    pub fn gone(&mut self, client: u64) {
        self.waiting.retain(|waiting| *waiting != client);
        if self.holder == Some(client) {
            self.holder = self.waiting.pop_front();
        }
    }
}
