//! What of configuration space a driver may see: nothing that says where anything is in memory.
//!
//! What is not known to be harmless is not shown. Beside base addresses and messages there are addresses of virtual functions (PCI Express 5.0, 9.3.3.14)
//! and of multicast, headers of requests that went wrong (7.8.4.8), and whatever a vendor has where no capability is.

use crate::bar::FIRST as FIRST_BAR;
use crate::capability::{self, EXTENDED_FIRST, FIRST, extended_id, id};
use crate::config::Config;
use crate::function::Function;
use crate::header::{LAST_BAR, ROM};
use crate::virtio;

/// The word that every capability begins with.
const HEAD: u16 = 4;
/// Kind and length of a block of a virtio device (virtio 1.2, 4.1.4), and the kind that reads and writes registers by itself (4.1.4.9).
const LENGTH: u16 = 2;
const KIND: u16 = 3;
const WINDOW: u8 = 5;

impl Function {
    /// Whether its driver may see the word at `register`.
    pub fn shows(&self, config: &impl Config, register: u16) -> bool {
        let register = register & !3;
        match register {
            ..FIRST => !(FIRST_BAR..LAST_BAR).contains(&register) && register != ROM,
            FIRST..EXTENDED_FIRST => {
                let all = capability::list(config, self.address);
                covers(all.map(|it| (it.register, self.harmless(config, it.id, it.register))), register)
            }
            _ if self.express.is_none() => false,
            _ => {
                let all = capability::extended(config, self.address);
                covers(all.map(|it| (it.register, harmless_extended(it.id))), register)
            }
        }
    }

    /// Bytes of a capability that are harmless.
    fn harmless(&self, config: &impl Config, kind: u8, register: u16) -> u16 {
        match kind {
            id::POWER => 8,
            // Of the second version: how a device is controlled, its link, and its slot.
            id::EXPRESS => 0x14,
            // Where tables are, within base address registers.
            id::MSIX => 12,
            id::VENDOR if self.header.vendor == virtio::VENDOR => {
                let length = config.read8(self.address, register + LENGTH);
                let is_window = config.read8(self.address, register + KIND) == WINDOW;
                if is_window { HEAD } else { length.into() }
            }
            // Address and data of messages come behind it, or nobody knows what.
            _ => HEAD,
        }
    }
}

fn harmless_extended(kind: u16) -> u16 {
    match kind {
        // What went wrong; then comes with what request.
        extended_id::ERRORS => 0x1c,
        extended_id::SERIAL => 12,
        // Sizes.
        extended_id::RESIZABLE => 0x34,
        extended_id::ACCESS_CONTROL | extended_id::ATS | extended_id::ROUTING | extended_id::LATENCY => 8,
        // How many there are; then come their base addresses.
        extended_id::VIRTUAL_FUNCTIONS => 0x24,
        _ => HEAD,
    }
}

/// Whether `register` is among the harmless bytes of the capability that begins last before it.
fn covers(all: impl Iterator<Item = (u16, u16)>, register: u16) -> bool {
    let last = all.filter(|(first, _)| *first <= register).max_by_key(|(first, _)| *first);
    last.is_some_and(|(first, length)| register - first < length)
}
