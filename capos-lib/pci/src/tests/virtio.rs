//! Register blocks of virtio devices.

use super::{endpoint, here, read, with};
use crate::capability::id;
use crate::model::Device;
use crate::virtio::{Block, Virtio, blocks};
use crate::{Fault, Function};
use std::vec::Vec;

fn block(kind: u8, bar: u8, offset: u32, length: u32, multiplier: Option<u32>) -> Vec<u8> {
    let size = if multiplier.is_some() { 20 } else { 16 };
    let mut body = Vec::from([size, kind, bar, 0, 0, 0]);
    body.extend(offset.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(multiplier.iter().flat_map(|it| it.to_le_bytes()));
    body
}

fn rng() -> Device {
    Device::new(0x1af4, 0x1044, 0x00_ff00).bar(4, 0x80_0000_0000, 0x4000, 0b1100)
}

fn found(device: Device) -> Vec<Result<Virtio, Fault>> {
    let machine = with(device);
    let function = Function::read(&machine, here()).unwrap();
    blocks(&machine, here(), &function.header, &function.bars).collect()
}

#[test]
fn a_modern_device_as_it_is() {
    let device = rng()
        .capability(id::VENDOR, &block(5, 0, 0, 0, Some(0)))
        .capability(id::VENDOR, &block(2, 4, 0x3000, 0x1000, Some(4)))
        .capability(id::VENDOR, &block(4, 4, 0x2000, 0x1000, None))
        .capability(id::VENDOR, &block(3, 4, 0x1000, 0x1000, None))
        .capability(id::VENDOR, &block(1, 4, 0, 0x1000, None));
    assert_eq!(read(device.clone()).fault, None);
    let place = |block, offset, length| Ok(Virtio { block, bar: 4, offset, length });
    assert_eq!(
        found(device),
        [
            Ok(Virtio { block: Block::Window, bar: 0, offset: 0, length: 0 }),
            place(Block::Notify(4), 0x3000, 0x1000),
            place(Block::Device, 0x2000, 0x1000),
            place(Block::Interrupt, 0x1000, 0x1000),
            place(Block::Common, 0, 0x1000),
        ]
    );
}

#[test]
fn blocks_outside_of_their_register_are_refused() {
    for (bar, offset, length) in [(4, 0x3001, 0x1000), (4, u32::MAX, u32::MAX), (0, 0, 1), (5, 0, 1)] {
        let device = rng().capability(id::VENDOR, &block(1, bar, offset, length, None));
        assert_eq!(read(device.clone()).fault, Some(Fault::Virtio));
        assert_eq!(found(device), [Err(Fault::Virtio)]);
    }
}

#[test]
fn doorbells_without_their_distance_are_refused() {
    let device = rng().capability(id::VENDOR, &block(2, 4, 0, 0x1000, None));
    assert_eq!(found(device), [Err(Fault::Truncated(id::VENDOR))]);
}

#[test]
fn what_the_specification_passes_over_is_passed_over() {
    assert_eq!(found(rng().capability(id::VENDOR, &block(1, 6, 0, 1, None))), []);
    let shared = found(rng().capability(id::VENDOR, &block(8, 4, 0, u32::MAX, None)));
    assert!(matches!(shared[..], [Ok(Virtio { block: Block::Shared, .. })]));
    // What a vendor wants is its own matter.
    let other = endpoint().capability(id::VENDOR, &block(1, 0, 0, 1, None));
    assert_eq!((read(other.clone()).fault, found(other)), (None, Vec::new()));
}
