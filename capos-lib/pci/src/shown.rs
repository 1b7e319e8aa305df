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

/// Words of a function's configuration space that its driver may see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown(Words);

/// One bit for each word of configuration space.
type Words = [u64; WORDS / 64];

const WORDS: usize = 1024;

/// Where configuration space ends.
const END: u16 = 0x1000;

fn has(words: &Words, register: u16) -> bool {
    let word = usize::from(register / 4);
    words.get(word / 64).is_some_and(|bits| bits & 1 << (word % 64) != 0)
}

fn set(words: &mut Words, register: u16) {
    let word = usize::from(register / 4);
    if let Some(bits) = words.get_mut(word / 64) {
        *bits |= 1 << (word % 64);
    }
}

impl Shown {
    /// Those of a function, looked for once: capabilities stay where they are.
    pub fn of(function: &Function, config: &impl Config) -> Shown {
        let mut words = Words::default();
        let is_address = |it: &u16| (FIRST_BAR..LAST_BAR).contains(it) || *it == ROM;
        (0..FIRST).step_by(4).filter(|it| !is_address(it)).for_each(|it| set(&mut words, it));
        let all = || capability::list(config, function.address);
        show(&mut words, EXTENDED_FIRST, || {
            all().map(|it| (it.register, function.harmless(config, it.id, it.register)))
        });
        if function.express.is_some() {
            let all = || capability::extended(config, function.address);
            show(&mut words, END, || all().map(|it| (it.register, harmless_extended(it.id))));
        }
        Shown(words)
    }

    /// Whether the driver may see the word at `register`.
    pub fn has(&self, register: u16) -> bool {
        has(&self.0, register)
    }
}

/// Shows so many bytes of each of `all` capabilities, before `end`, up to where another one begins.
fn show<I: Iterator<Item = (u16, u16)>>(words: &mut Words, end: u16, all: impl Fn() -> I) {
    let mut begins = Words::default();
    all().for_each(|(first, _)| set(&mut begins, first));
    for (first, length) in all() {
        let last = first.saturating_add(length).min(end);
        let own = (first..last).step_by(4).take_while(|it| *it == first || !has(&begins, *it));
        own.for_each(|it| set(words, it));
    }
}

impl Function {
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
