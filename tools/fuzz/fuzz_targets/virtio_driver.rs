//! The driver's side of virtio against a device that says what it likes, of its registers and of its ring.
//!
//! Input: which interface, what registers read as now and then, and operations on a queue, between any two of which the device writes
//! anything into the used ring. The transport must come to rest in bounded steps; the queue must give back only chains that are in flight,
//! with no more bytes than they have room for, and after a fault nothing.
#![no_main]

use capos_virtio::register::{Field, Width, features};
use capos_virtio::rng::Rng;
use capos_virtio::split::{AddError, Piece, Queue};
use capos_virtio::{DeviceFault, Interface, Layout, Step, Transport, Wish};
use fakes::bus::RingMemory;
use fakes::drive::STEPS;
use fakes::virtio::{Device, Echo, Mischief, RegisterFault};
use fakes::{Bus, Ram};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

const DESCRIPTORS: usize = 8;
const BUFFERS: usize = 4;
const LENGTH: u32 = 64;
const CONFIG: [Field; 2] =
    [Field { offset: 0, width: Width::Bits32, needs: 0 }, Field { offset: 4, width: Width::Bits16, needs: 0 }];

/// Faults that last, beside those of single reads.
const FAULTS: [Option<RegisterFault>; 6] = [
    None,
    Some(RegisterFault::ResetTakes(5)),
    Some(RegisterFault::ResetTakes(u32::MAX)),
    Some(RegisterFault::OffersChange),
    Some(RegisterFault::ConfigFlaps),
    Some(RegisterFault::NeedsReset),
];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    // Ends when the input does.
    let _ = match input.int_in_range(0..=2).unwrap_or(0) {
        0 => transport(&mut input),
        1 => queue(&mut input),
        _ => entropy(&mut input),
    };
});

fn transport(input: &mut Unstructured<'_>) -> Result<()> {
    let interface = if input.arbitrary()? { Interface::Modern } else { Interface::Legacy };
    let vectors = input.int_in_range(0..=3)?;
    let mut device = Device::new(interface, Echo::new(&[16, 16]), Bus::direct(&Ram::new(0)));
    device.vectors = vectors;
    let wish = Wish { features: features::EVENT_IDX, queues: &[8, 32], needed: 1, vectors, config: CONFIG };
    let mut transport = Transport::new(interface, wish);
    while !input.is_empty() {
        let fault = input.choose(&FAULTS)?;
        device.mischief = fault.map_or_else(Mischief::none, Mischief::register);
        let attached = rest(&mut transport, &mut device, input);
        if attached.is_ok() {
            assert_eq!(transport.features() & !(device.offered() | wish.features | 3 << 32), 0);
        }
        if input.arbitrary()? { transport.reset() } else { transport.changed() }
    }
    Ok(())
}

/// Steps until it rests; one register read of four is the input's, as long as there is some.
fn rest(
    transport: &mut Transport<2>,
    device: &mut Device<Echo>,
    input: &mut Unstructured<'_>,
) -> std::result::Result<(), DeviceFault> {
    let mut now = 0;
    for _ in 0..STEPS {
        match transport.step(now) {
            Step::Write(register, value) => device.write(register, value),
            Step::Read(register) => {
                let honest = device.read(register);
                let lies = !input.is_empty() && input.ratio(1, 4).unwrap_or(false);
                let lie = lies.then(|| input.arbitrary().unwrap_or(honest));
                transport.value(lie.unwrap_or(honest));
            }
            Step::Attach { queue, layout, .. } => assert!(queue < 2 && layout.bytes() >= 8192),
            Step::Pause { until } => {
                assert!(until > now);
                now = until;
            }
            Step::Ready => return Ok(()),
            Step::Failed(fault) => return Err(fault),
        }
    }
    panic!("the transport never rests: {transport:?}");
}

/// The device writes something into the used ring: mostly something that looks almost right.
fn meddle(ram: &Ram, layout: Layout, index: u16, input: &mut Unstructured<'_>) -> Result<()> {
    let entry = layout.used_entry(input.arbitrary()?);
    let near = |input: &mut Unstructured<'_>, value: u32| -> Result<u32> {
        let off: i8 = input.arbitrary()?;
        if input.ratio(1, 8)? { input.arbitrary() } else { Ok(value.wrapping_add_signed(off.into())) }
    };
    let (offset, bytes) = match input.int_in_range(0..=3)? {
        0 => (layout.used_index(), (near(input, index.into())? as u16).to_le_bytes().to_vec()),
        1 => (entry, near(input, 4)?.to_le_bytes().to_vec()),
        2 => (entry + 4, near(input, LENGTH)?.to_le_bytes().to_vec()),
        _ => (layout.available_event(), near(input, index.into())?.to_le_bytes()[..2].to_vec()),
    };
    assert!(ram.write(u64::from(offset), &bytes));
    Ok(())
}

fn ring(input: &mut Unstructured<'_>) -> Result<(Ram, Layout, RingMemory)> {
    let layout = Layout::new(1 << input.int_in_range(0..=5)?).expect("a power of two");
    let ram = Ram::new(layout.bytes() as usize);
    let memory = ram.ring(0);
    Ok((ram, layout, memory))
}

fn queue(input: &mut Unstructured<'_>) -> Result<()> {
    let (ram, layout, memory) = ring(input)?;
    let mut queue: Queue<_, DESCRIPTORS> = Queue::new(memory, layout, input.arbitrary()?);
    let all = DESCRIPTORS.min(layout.size().into());
    // Descriptors and room of each chain in flight.
    let mut chains: BTreeMap<u16, (usize, u32)> = BTreeMap::new();
    let (mut taken, mut fault) = (0u16, None);
    while !input.is_empty() {
        meddle(&ram, layout, taken, input)?;
        match input.int_in_range(0..=3)? {
            0 => add(&mut queue, &mut chains, input)?,
            1 => {
                let _ = queue.kick();
            }
            2 => assert!(fault.is_none() || queue.may_sleep() == Err(fault.expect("is some"))),
            _ => match queue.take_used() {
                Ok(None) => assert!(fault.is_none()),
                Ok(Some(used)) => {
                    let (_, room) = chains.remove(&used.id).expect("it was in flight");
                    assert!(fault.is_none() && used.length <= room);
                    taken = taken.wrapping_add(1);
                }
                Err(now) => assert_eq!(*fault.get_or_insert(now), now),
            },
        }
        let used: usize = chains.values().map(|(descriptors, _)| descriptors).sum();
        if fault.is_none() {
            assert_eq!((queue.in_flight(), queue.room()), (chains.len(), all - used));
        }
    }
    Ok(())
}

fn add(
    queue: &mut Queue<RingMemory, DESCRIPTORS>,
    chains: &mut BTreeMap<u16, (usize, u32)>,
    input: &mut Unstructured<'_>,
) -> Result<()> {
    let piece = |input: &mut Unstructured<'_>| -> Result<Piece> {
        let length = if input.ratio(1, 8)? { input.arbitrary()? } else { LENGTH };
        Ok(Piece { token: input.arbitrary::<u8>()?.into(), length, writable: input.arbitrary()? })
    };
    let count = input.int_in_range(0..=4)?;
    let pieces: Vec<Piece> = (0..count).map(|_| piece(input)).collect::<Result<_>>()?;
    match queue.add(&pieces) {
        Ok(id) => {
            let room = pieces.iter().filter(|piece| piece.writable).map(|piece| piece.length).sum();
            assert!(chains.insert(id, (pieces.len(), room)).is_none(), "a descriptor in two chains");
        }
        Err(AddError::Full) => assert!(queue.room() < pieces.len()),
        Err(_) => {}
    }
    Ok(())
}

fn entropy(input: &mut Unstructured<'_>) -> Result<()> {
    let (ram, layout, _) = ring(input)?;
    let mut rng: Rng<RingMemory, BUFFERS> = Rng::new([0x1000, 0x2000, 0x3000, 0x4000], LENGTH);
    let (mut now, mut taken) = (0u64, 0u16);
    let (mut filled, mut fault) = ([false; BUFFERS], None);
    while !input.is_empty() {
        meddle(&ram, layout, taken, input)?;
        now += u64::from(input.arbitrary::<u8>()?) << 26;
        let answer = match input.int_in_range(0..=5)? {
            0 => {
                // The kernel zeroes a ring before it gives it to the device again.
                assert!(ram.write(0, &vec![0; layout.bytes() as usize]));
                rng.on_reset(ram.ring(0), layout);
                (taken, fault) = (0, None);
                Ok(())
            }
            1 => {
                assert!(!rng.submit(now) || fault.is_none());
                Ok(())
            }
            2 => rng.may_sleep().map(|_| ()),
            3 => rng.on_timeout(now),
            4 => {
                let buffer = input.int_in_range(0..=BUFFERS)?;
                rng.release(buffer);
                filled.get_mut(buffer).map(|it| *it = false);
                Ok(())
            }
            _ => rng.on_completion(now).map(|done| {
                if let Some(done) = done {
                    assert!((1..=LENGTH).contains(&done.length));
                    assert!(!std::mem::replace(&mut filled[done.buffer], true), "it is the driver's already");
                    taken = taken.wrapping_add(1);
                }
            }),
        };
        if let Err(now) = answer {
            assert_eq!(*fault.get_or_insert(now), now, "until the next reset");
        }
    }
    Ok(())
}
