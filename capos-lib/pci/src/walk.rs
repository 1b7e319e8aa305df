//! All functions of a machine: bus by bus, through every bridge.

use crate::address::{Address, DEVICES, FUNCTIONS};
use crate::config::Config;
use crate::header::{HOST_BRIDGE, Header};

const BUSES: u16 = 256;

/// A set of buses.
#[derive(Clone, Copy, Default)]
struct Buses([u64; 4]);

impl Buses {
    /// Whether it was not there before.
    fn add(&mut self, bus: u8) -> bool {
        let bit = 1 << (bus % 64);
        match self.0.get_mut(usize::from(bus / 64)) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self) -> Option<u8> {
        let (at, word) = self.0.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((at as u32 * 64 + bit) as u8)
    }
}

/// Has `visit` see every function that bridges lead to from bus 0, each once.
///
/// A machine may have more roots than bus 0. Firmware tells them by AML, which we do not read; but each root is a host bridge, and
/// those are functions of bus 0. Where there is more than one, all buses are looked at.
pub fn walk(config: &impl Config, mut visit: impl FnMut(Address, &Header)) {
    let (mut known, mut ahead) = (Buses::default(), Buses::default());
    let mut roots = 0;
    known.add(0);
    ahead.add(0);
    while let Some(bus) = ahead.take() {
        each(config, bus, &mut |at, header| {
            roots += u32::from(at.bus() == 0 && at.function() == 0 && header.class >> 8 == HOST_BRIDGE);
            // What leads to a bus that another one leads to already leads nowhere.
            if let Some(buses) = header.buses
                && known.add(buses.secondary)
            {
                ahead.add(buses.secondary);
            }
            visit(at, header);
        });
        if bus == 0 && roots > 1 {
            for root in (1..BUSES).rev() {
                let root = root as u8;
                if known.add(root) {
                    ahead.add(root);
                }
            }
        }
    }
}

fn each(config: &impl Config, bus: u8, visit: &mut dyn FnMut(Address, &Header)) {
    for device in 0..DEVICES {
        let first = Address::device_of(bus, device);
        // Without function 0 there is no device.
        let Some(header) = Header::read(config, first) else { continue };
        visit(first, &header);
        if header.is_multifunction() {
            for function in 1..FUNCTIONS {
                let at = first.sibling(function);
                if let Some(header) = Header::read(config, at) {
                    visit(at, &header);
                }
            }
        }
    }
}
