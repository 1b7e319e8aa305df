//! Slots where functions come and go while the machine runs: what is done there, step by step, whenever somebody looks.
//!
//! Nobody interrupts for it, and nobody waits for it: the device manager looks at every slot again and again, and each look is one step of the
//! slot's own state machine ([`capos_pci::Seat`]). Between two looks the slot has time to obey.

use super::function::Function;
use super::registry;
use crate::log;
use alloc::vec::Vec;
use capos_abi::ExceptionCode;
use capos_ledger::Event;
use capos_pci::{Act, Buses, Express, Seat, Seen};
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, Ref};
use kernel_hal::{pci, time};

/// A port with a slot.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    pub address: capos_pci::Address,
    express: Express,
    buses: Buses,
}

/// Slots that were looked at, by the addresses of their ports.
static SEATS: Lock<Vec<(u32, Seat)>> = Lock::new(LockRank::Own, Vec::new());

/// The first port with such a slot at or after `cursor`.
pub(crate) fn at_or_after(cursor: u32) -> Option<Port> {
    let mut cursor = cursor;
    loop {
        let function = pci::function_at_or_after(cursor)?;
        if let (Some(_), Some(express), Some(buses)) =
            (function.hot_slot(), function.express, function.header.buses)
        {
            return Some(Port { address: function.address, express, buses });
        }
        cursor = function.address.number() + 1;
    }
}

impl Port {
    /// Does the next step. True when functions came or went.
    pub fn step(&self) -> Result<bool, ExceptionCode> {
        let Some(state) = self.express.slot_state(&pci::Access, self.address, true) else {
            return Ok(false);
        };
        let port = self.address.number();
        let seen = Seen {
            occupied: state.occupied,
            pressed: state.button_pressed,
            changed: state.changed,
            answers: pci::answers(port),
            quiet: self.functions().all(|function| !function.is_kept()),
            switchable: self.express.slot.is_some_and(|slot| slot.power),
        };
        match seat_step(port, seen)? {
            Act::Nothing => Ok(false),
            Act::PowerOn => {
                self.express.power_slot(&pci::Access, self.address, true);
                Ok(false)
            }
            Act::PowerOff => {
                self.express.power_slot(&pci::Access, self.address, false);
                Ok(false)
            }
            Act::Look => {
                let came = pci::arrive(port);
                log::info(format_args!("functions that came behind {}: {came}", self.address));
                self.each_address(|address| super::history::add(Event::Came, address, 0, 0));
                Ok(came > 0)
            }
            Act::TakeBack => {
                self.take_back();
                Ok(true)
            }
            Act::Forget => {
                self.functions().for_each(|function| function.forget());
                // Nobody finds it any more, and then nobody knows it.
                pci::depart(port);
                registry::forget_behind(self.buses);
                log::info(format_args!("what was behind {} is gone", self.address));
                Ok(true)
            }
        }
    }

    /// What was ever claimed behind it.
    fn functions(&self) -> impl Iterator<Item = Ref<Function>> {
        let buses = self.buses;
        registry::from(u32::from(buses.secondary) << 8).take_while(move |it| buses.holds(it.pci.address))
    }

    fn each_address(&self, mut work: impl FnMut(u32)) {
        let mut cursor = u32::from(self.buses.secondary) << 8;
        while let Some(function) = pci::function_at_or_after(cursor).filter(|it| self.buses.holds(it.address))
        {
            work(function.address.number());
            cursor = function.address.number() + 1;
        }
    }

    /// Nobody has what is behind it any more, nor can have it.
    fn take_back(&self) {
        // One that nobody ever asked for is known from now on as one that is gone. Without memory for that nobody can ask for it either.
        self.each_address(|address| drop(registry::find(address)));
        self.functions().for_each(|function| function.vanish());
    }
}

fn seat_step(port: u32, seen: Seen) -> Result<Act, ExceptionCode> {
    let now = time::now_ns();
    let mut seats = SEATS.lock();
    if let Some((_, seat)) = seats.iter_mut().find(|(of, _)| *of == port) {
        return Ok(seat.step(seen, now));
    }
    seats.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
    // As firmware left it; what it reported until now is of no interest.
    seats.push((port, Seat::new(seen.occupied && seen.answers)));
    Ok(Act::Nothing)
}

#[cfg(test)]
pub(super) fn forget_all() {
    SEATS.lock().clear();
}
