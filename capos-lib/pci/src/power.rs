//! Power management (PCI Power Management 1.2, chapter 3).

use crate::address::Address;
use crate::capability::Capability;
use crate::config::Config;
use crate::fault::Fault;

const CONTROL: u16 = 4;
const STATE: u16 = 0b11;
const NO_SOFT_RESET: u16 = 1 << 3;
/// Written as one it acknowledges an event.
const EVENT: u16 = 1 << 15;

/// The capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerManagement {
    /// Where its registers begin.
    pub register: u16,
    /// The function keeps its state when it comes back from D3: power is no way to reset it.
    pub no_soft_reset: bool,
}

impl PowerManagement {
    /// Reads it.
    pub fn read(config: &impl Config, at: Address, found: Capability) -> Result<Self, Fault> {
        if !found.fits(8) {
            return Err(Fault::Truncated(found.id));
        }
        let control = config.read16(at, found.register + CONTROL);
        Ok(PowerManagement { register: found.register, no_soft_reset: control & NO_SOFT_RESET != 0 })
    }

    /// The state that it is in: D0 works, D3 sleeps.
    pub fn state(&self, config: &impl Config, at: Address) -> u8 {
        (config.read16(at, self.register + CONTROL) & STATE) as u8
    }

    /// Has it go to a state, 0 to 3. It takes up to 10 ms (5.6.1).
    pub fn set_state(&self, config: &impl Config, at: Address, state: u8) {
        let control = config.read16(at, self.register + CONTROL) & !(STATE | EVENT);
        config.write16(at, self.register + CONTROL, control | u16::from(state) & STATE);
    }
}
