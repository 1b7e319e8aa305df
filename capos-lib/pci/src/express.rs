//! PCI Express (PCI Express 5.0, 7.5.3): what kind of port it is, resetting one function, slots that things are plugged into.

use crate::address::Address;
use crate::capability::Capability;
use crate::config::Config;
use crate::fault::Fault;

const CAPABILITIES: u16 = 0x02;
const DEVICE_CAPABILITIES: u16 = 0x04;
const DEVICE_CONTROL: u16 = 0x08;
const DEVICE_STATUS: u16 = 0x0a;
const SLOT_CAPABILITIES: u16 = 0x14;
const SLOT_CONTROL: u16 = 0x18;
const SLOT_STATUS: u16 = 0x1a;
const HAS_SLOT: u16 = 1 << 8;
const CAN_RESET: u32 = 1 << 28;
const RESET: u16 = 1 << 15;
const TRANSACTIONS_PENDING: u16 = 1 << 5;

/// What kind of port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// A device.
    Endpoint,
    /// A device that has ports.
    LegacyEndpoint,
    /// A device of the root complex.
    IntegratedEndpoint,
    /// A port of the root complex, with a bus behind it.
    Root,
    /// The side of a switch that faces the root.
    Upstream,
    /// A side of a switch that faces devices.
    Downstream,
    /// A bridge to conventional PCI.
    ToPci,
    /// A bridge from conventional PCI.
    FromPci,
    /// A collector of the root complex's events.
    EventCollector,
    /// A reserved number.
    Other(u8),
}

/// The capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Express {
    /// Where its registers begin.
    pub register: u16,
    /// What kind of port it is.
    pub port: Port,
    /// Whether the function can be reset alone.
    pub can_reset: bool,
    /// The slot behind it, if there is one.
    pub slot: Option<Slot>,
}

/// A slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// The number on the chassis.
    pub number: u16,
    /// Whether things come and go while the machine runs.
    pub hot_plug: bool,
    /// Whether they may go unannounced.
    pub surprise: bool,
    /// Whether it has a button to announce it.
    pub button: bool,
    /// Whether its power can be switched.
    pub power: bool,
}

/// What a slot reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotState {
    /// Something is in it.
    pub occupied: bool,
    /// Its button was pressed, since it was last acknowledged.
    pub button_pressed: bool,
    /// Something came or went, since it was last acknowledged.
    pub changed: bool,
}

impl SlotState {
    const BUTTON: u16 = 1;
    const CHANGED: u16 = 1 << 3;
    const OCCUPIED: u16 = 1 << 6;
    const LINK_CHANGED: u16 = 1 << 8;
}

impl Express {
    /// Reads it.
    pub fn read(config: &impl Config, at: Address, found: Capability) -> Result<Self, Fault> {
        let capabilities = config.read16(at, found.register + CAPABILITIES);
        let port = match capabilities >> 4 & 0xf {
            0b0000 => Port::Endpoint,
            0b0001 => Port::LegacyEndpoint,
            0b0100 => Port::Root,
            0b0101 => Port::Upstream,
            0b0110 => Port::Downstream,
            0b0111 => Port::ToPci,
            0b1000 => Port::FromPci,
            0b1001 => Port::IntegratedEndpoint,
            0b1010 => Port::EventCollector,
            other => Port::Other(other as u8),
        };
        let has_slot = matches!(port, Port::Root | Port::Downstream) && capabilities & HAS_SLOT != 0;
        if !found.fits(if has_slot { SLOT_STATUS + 2 } else { DEVICE_STATUS + 2 }) {
            return Err(Fault::Truncated(found.id));
        }
        let slot = has_slot.then(|| Slot::of(config.read32(at, found.register + SLOT_CAPABILITIES)));
        let can_reset = config.read32(at, found.register + DEVICE_CAPABILITIES) & CAN_RESET != 0;
        Ok(Express { register: found.register, port, can_reset, slot })
    }

    /// Resets the function, if it can be. It answers again after 100 ms, with its configuration gone (6.6.2).
    pub fn reset(&self, config: &impl Config, at: Address) -> bool {
        if self.can_reset {
            let control = config.read16(at, self.register + DEVICE_CONTROL);
            config.write16(at, self.register + DEVICE_CONTROL, control | RESET);
        }
        self.can_reset
    }

    /// Whether the function waits for answers to requests of its own.
    pub fn has_transactions_pending(&self, config: &impl Config, at: Address) -> bool {
        config.read16(at, self.register + DEVICE_STATUS) & TRANSACTIONS_PENDING != 0
    }

    /// What the slot reports; what was reported is acknowledged by that, if `acknowledge` says so.
    pub fn slot_state(&self, config: &impl Config, at: Address, acknowledge: bool) -> Option<SlotState> {
        self.slot?;
        let status = config.read16(at, self.register + SLOT_STATUS);
        if acknowledge {
            let events = SlotState::BUTTON | SlotState::CHANGED | SlotState::LINK_CHANGED;
            config.write16(at, self.register + SLOT_STATUS, status & events);
        }
        Some(SlotState {
            occupied: status & SlotState::OCCUPIED != 0,
            button_pressed: status & SlotState::BUTTON != 0,
            changed: status & SlotState::CHANGED != 0,
        })
    }

    /// Switches the power of the slot, and its indicator, if there is a slot. No interrupts: who wants to know looks.
    pub fn power_slot(&self, config: &impl Config, at: Address, on: bool) {
        if self.slot.is_none() {
            return;
        }
        let quiet = slot_control::ON_BUTTON | slot_control::ON_CHANGE | slot_control::INTERRUPTS;
        let power = slot_control::INDICATOR | slot_control::POWER_OFF;
        let set = if on { slot_control::INDICATOR_ON } else { power };
        let control = config.read16(at, self.register + SLOT_CONTROL);
        config.write16(at, self.register + SLOT_CONTROL, control & !(quiet | power) | set);
    }
}

impl Slot {
    fn of(capabilities: u32) -> Self {
        let has = |bit: u32| capabilities & 1 << bit != 0;
        Slot {
            number: (capabilities >> 19) as u16,
            hot_plug: has(6),
            surprise: has(5),
            button: has(0),
            power: has(1),
        }
    }
}

/// Bits of a slot's control register (7.5.3.10).
mod slot_control {
    /// Interrupt when the button is pressed.
    pub const ON_BUTTON: u16 = 1;
    /// Interrupt when something came or went.
    pub const ON_CHANGE: u16 = 1 << 3;
    /// Interrupts of the slot at all.
    pub const INTERRUPTS: u16 = 1 << 5;
    /// The power indicator, all bits of which mean off.
    pub const INDICATOR: u16 = 0b11 << 8;
    /// It is on.
    pub const INDICATOR_ON: u16 = 0b01 << 8;
    /// The power is off.
    pub const POWER_OFF: u16 = 1 << 10;
}
