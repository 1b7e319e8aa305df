//! Driver and kernel around a core: does what it says, and counts.

use capos_virtio::register::{legacy, modern};
use capos_virtio::{DeviceFault, Interface, Layout, Step, Transport};

use crate::Ram;
use crate::bus::RingMemory;
use crate::virtio::{Class, Device};

/// Steps that no transport needs, whatever its device does: a second of looks, two steps each, and a handful for everything else.
pub const STEPS: u32 = 2500;

/// A queue that works.
#[derive(Clone, Debug)]
pub struct Attached {
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
                queues.push(Attached { layout, base, memory: ram.ring(base), notify_offset });
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
