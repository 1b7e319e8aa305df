//! Where a virtio device has its registers: vendor-specific capabilities (virtio 1.2, 4.1.4).

use crate::address::Address;
use crate::bar::{BARS, Bars};
use crate::capability::{self, Capability, id};
use crate::config::Config;
use crate::fault::Fault;
use crate::header::Header;

/// Whose devices these are.
pub const VENDOR: u16 = 0x1af4;

/// What a block of registers is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// Features, status, queues.
    Common,
    /// Doorbells; this many bytes from one queue's to the next by number.
    Notify(u32),
    /// Why it interrupted.
    Interrupt,
    /// What only this kind of device has.
    Device,
    /// A way to the other blocks through configuration space.
    Window,
    /// Memory that is shared.
    Shared,
    /// Some other kind.
    Other(u8),
}

/// A block of registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Virtio {
    /// What it is for.
    pub block: Block,
    /// The base address register that it is in.
    pub bar: u8,
    /// Where it begins there.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// The blocks of a virtio device in order, of which the first of each kind counts (4.1.4.1). Devices of other vendors have none.
pub fn blocks(
    config: &impl Config,
    at: Address,
    header: &Header,
    bars: &Bars,
) -> impl Iterator<Item = Result<Virtio, Fault>> {
    let is_virtio = header.vendor == VENDOR;
    capability::list(config, at)
        .filter(move |found| is_virtio && found.id == id::VENDOR)
        .filter_map(move |found| read(config, at, found, bars).transpose())
}

/// `Ok(None)` for what the specification says to pass over: base address registers that there cannot be.
pub(crate) fn read(
    config: &impl Config,
    at: Address,
    found: Capability,
    bars: &Bars,
) -> Result<Option<Virtio>, Fault> {
    let truncated = Err(Fault::Truncated(found.id));
    if !found.fits(16) {
        return truncated;
    }
    let [_, _, length, kind] = config.read32(at, found.register).to_le_bytes();
    let bar = config.read8(at, found.register + 4);
    if usize::from(bar) >= BARS {
        return Ok(None);
    }
    let block = match kind {
        1 => Block::Common,
        2 if length < 20 || !found.fits(20) => return truncated,
        2 => Block::Notify(config.read32(at, found.register + 16)),
        3 => Block::Interrupt,
        4 => Block::Device,
        5 => Block::Window,
        8 => Block::Shared,
        other => Block::Other(other),
    };
    let offset = u64::from(config.read32(at, found.register + 8));
    let bytes = u64::from(config.read32(at, found.register + 12));
    let inside = || {
        let bar = bars.get(usize::from(bar)).copied().flatten();
        bar.is_some_and(|bar| bar.holds(offset, bytes))
    };
    // The window is nowhere: it says where by being written. Shared memory has the upper halves elsewhere, and nobody uses it.
    let nowhere = matches!(block, Block::Window | Block::Shared | Block::Other(_));
    if nowhere || inside() {
        Ok(Some(Virtio { block, bar, offset, length: bytes }))
    } else {
        Err(Fault::Virtio)
    }
}
