//! Driver and kernel around a core: does what it says, and counts.

use capos_edu::Edu;
use capos_virtio::register::{legacy, modern};
use capos_virtio::{DeviceFault, Interface, Layout, Step, Transport};

use crate::bus::RingMemory;
use crate::virtio::{Class, Device};
use crate::{Ram, edu};

/// Steps that no transport needs, whatever its device does: a second of looks, two steps each, and a handful for everything else.
pub const STEPS: u32 = 2500;

/// A queue that works.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The device's number of it.
    pub number: u16,
    /// Its form.
    pub layout: Layout,
    /// Where the device finds it.
    pub base: u64,
    /// The driver's view of it.
    pub memory: RingMemory,
    /// What the device said about notifying it.
    pub notify_offset: u16,
}

/// Steps a transport until it rests, and gives the queues that it had set up.
///
/// # Errors
/// The device's fault.
///
/// # Panics
/// When it needs more than [`STEPS`].
pub fn settle<C: Class, const F: usize>(
    transport: &mut Transport<F>,
    device: &mut Device<C>,
    ram: &Ram,
    now: &mut u64,
) -> Result<Vec<Attached>, DeviceFault> {
    let mut queues = Vec::new();
    for _ in 0..STEPS {
        match transport.step(*now) {
            Step::Write(register, value) => device.write(register, value),
            Step::Read(register) => transport.value(device.read(register)),
            Step::Attach { queue, layout, notify_offset } => {
                let base = ram.allocate(layout.bytes()).expect("tests have enough memory");
                attach(device, queue, layout, base);
                queues.push(Attached { number: queue, layout, base, memory: ram.ring(base), notify_offset });
            }
            Step::Pause { until } => {
                assert!(until > *now, "a pause that is none");
                *now = until;
            }
            Step::Ready => return Ok(queues),
            Step::Failed(fault) => return Err(fault),
        }
    }
    panic!("the transport never rests: {transport:?}");
}

/// What the kernel does when a driver wants a queue: programs its size, where it is, and that it is used.
pub fn attach<C: Class>(device: &mut Device<C>, queue: u16, layout: Layout, base: u64) {
    if device.interface() == Interface::Legacy {
        device.write(legacy::QUEUE_SELECT, queue.into());
        return device.write(legacy::QUEUE_PAGE, (base >> 12) as u32);
    }
    device.write(modern::QUEUE_SELECT, queue.into());
    device.write(modern::QUEUE_SIZE, layout.size().into());
    let parts = [
        (modern::QUEUE_DESCRIPTORS, base),
        (modern::QUEUE_AVAILABLE, base + u64::from(layout.available())),
        (modern::QUEUE_USED, base + u64::from(layout.used())),
    ];
    for (mut register, address) in parts {
        device.write(register, address as u32);
        register.offset += 4;
        device.write(register, (address >> 32) as u32);
    }
    device.write(modern::QUEUE_ENABLE, 1);
}

/// Time that passes with each wait for the `edu` device.
const WAIT_NS: u64 = 100_000_000;

/// Steps that no job of the `edu` core needs, for each wait that its deadline allows; pieces of a copy count as jobs.
const EDU_STEPS: u64 = 8 * (capos_edu::TIMEOUT_NS / WAIT_NS + 1);

/// Steps an `edu` until it has nothing to do or gives up; its device does one turn with each wait. `pieces` is what it has to do.
///
/// # Errors
/// The device's fault.
///
/// # Panics
/// When it needs more steps than so many pieces can need.
pub fn settle_edu(
    core: &mut Edu,
    device: &mut edu::Device,
    now: &mut u64,
    pieces: u32,
) -> Result<(), capos_edu::DeviceFault> {
    for _ in 0..u64::from(pieces) * EDU_STEPS {
        match core.step(*now) {
            capos_edu::Step::Write(register, value) => device.write(register.offset(), value.into()),
            capos_edu::Step::Read(register) => core.value(device.read(register.offset())),
            capos_edu::Step::Transfer(transfer) => start(device, transfer),
            capos_edu::Step::Pause { until } => {
                assert!(until > *now, "a pause that is none");
                *now = until;
                device.turn();
            }
            capos_edu::Step::Wait { until } => {
                assert!(until > *now, "it should have given up");
                device.turn();
                *now += WAIT_NS;
                if device.interrupts() > 0 {
                    core.on_interrupt();
                }
            }
            capos_edu::Step::Idle => return Ok(()),
            capos_edu::Step::Failed(fault) => return Err(fault),
        }
    }
    panic!("the core never rests: {core:?}");
}

/// What the kernel does with a transfer, where tokens are addresses.
fn start(device: &mut edu::Device, transfer: capos_edu::Transfer) {
    let registers = [0x80, 0x88, 0x90, 0x98];
    registers.into_iter().zip(transfer.descriptor()).for_each(|(at, value)| device.write(at, value));
}
