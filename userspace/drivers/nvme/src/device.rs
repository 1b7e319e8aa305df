//! From a claimed function to a controller at work, over and over.

use crate::disk::Nvme;
use crate::error::Error;
use crate::pair::{Pair, Parts, Ring};
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_nvme::{BringUp, Controller, DeviceFault, Step, Wish};
use kit::block::Server;
use kit::device::{each_or, is_settled, outlive, start};
use rt::generated::{DeviceClaimClient, DeviceClient, InterruptClient, TimerClient};
use rt::{CallError, ExceptionCode, log};

/// Queues for requests, and entries of each.
const QUEUES: u16 = 4;
const ENTRIES: u16 = 64;

/// Bits of an address that the device takes, and of the largest buffer: what a client attaches.
const ADDRESS_BITS: u8 = 64;
const BUFFER_BITS: u8 = 21;

/// Waits for a device and drives it, and the next one when it is gone, until one can not be driven any more.
pub async fn drive(right: &DeviceClaimClient, timer: &TimerClient, server: &Rc<Server>) -> Error {
    let one = async |function: &DeviceClient| {
        outlive(function, timer, Error::may_pass, async || drive_once(function, timer, server).await).await
    };
    each_or(right, timer, &|| server.has_no_device(), one).await
}

/// From a reset to a fault.
async fn drive_once(function: &DeviceClient, timer: &TimerClient, server: &Rc<Server>) -> Error {
    server.drive_from(function, async || bring_up_settled(function, timer, server).await).await
}

/// Brings the device up, as often as it takes to know how it reaches memory.
async fn bring_up_settled(
    function: &DeviceClient,
    timer: &TimerClient,
    server: &Rc<Server>,
) -> Result<(Nvme, rt::generated::DmaPoolClient), Error> {
    loop {
        let window = function.window_blocking(0)?;
        let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let interrupts = interrupts(function, server)?;
        start(function, timer).await?;
        // In halves, as controllers may have it; where doorbells lie is in the upper one.
        let stride = 4 << (window.read_blocking(4, 4)? & 15);
        let parts = Parts { device: function, window, pool, stride };
        let (controller, pairs) = bring_up(&parts, timer, interrupts.len()).await?;
        // By what it answered it has shown how it reaches memory.
        if is_settled(function, timer, || Ok::<_, Error>(())).await? {
            let Parts { window, pool, .. } = parts;
            let info = function.info_blocking()?;
            describe(&controller);
            let held = (pairs, interrupts);
            let which = (info.address, info.arrival);
            return Ok((Nvme::new(controller, held, window, which, Rc::clone(server)), pool));
        }
    }
}

/// One for the admin queue and one for each of the others, as far as there are any.
fn interrupts(function: &DeviceClient, server: &Server) -> Result<Vec<InterruptClient>, Error> {
    let messages = function.info_blocking()?.messages.min(QUEUES + 1);
    let mut interrupts = Vec::new();
    for index in 0..messages {
        let interrupt = function.interrupt_blocking(index)?;
        interrupt.bind_blocking(server.interrupts()?)?;
        interrupt.acknowledge_blocking()?;
        interrupts.push(interrupt);
    }
    if interrupts.is_empty() { Err(Error::NoMessages) } else { Ok(interrupts) }
}

async fn bring_up(
    parts: &Parts<'_>,
    timer: &TimerClient,
    vectors: usize,
) -> Result<(Controller<Ring>, Vec<Pair>), Error> {
    let wish = Wish { queues: QUEUES, entries: ENTRIES, vectors: vectors as u16 };
    let mut bring_up = BringUp::new(wish).ok_or(DeviceFault::QueueSize(ENTRIES.into()))?;
    let mut pairs: Vec<Pair> = Vec::new();
    loop {
        match bring_up.step(timer.now_blocking()?) {
            Step::Read(register) => {
                bring_up.value(parts.window.read_blocking(register.offset, register.width)?);
            }
            Step::Write(register, value) => {
                parts.window.write_blocking(register.offset, register.width, value)?;
            }
            Step::Attach { queue, layout } => {
                let (pair, ring, places) = Pair::new(parts, queue, layout)?;
                pairs.push(pair);
                bring_up.attached(ring, layout, places).map_err(|_| out_of_memory())?;
            }
            Step::Tell(bells) => {
                if let Some(admin) = pairs.first() {
                    admin.tell(bells)?;
                }
            }
            Step::Pause { until } => timer.sleep_until(until).await?,
            Step::Ready => break,
            Step::Failed(fault) => return Err(fault.into()),
        }
    }
    let controller = bring_up.finish(timer.now_blocking()?).ok_or(DeviceFault::NotReady)?;
    Ok((controller, pairs))
}

fn out_of_memory() -> CallError {
    CallError::Exception(ExceptionCode::OutOfMemory.into())
}

/// Says in the log what there is, and why the rest is not.
fn describe(controller: &Controller<Ring>) {
    let identity = controller.identity();
    let (disks, queues) = (controller.namespaces().len(), controller.queues());
    log::info(format_args!("{} {}: {disks} disks, {queues} queues", identity.model, identity.serial));
    for (id, reason) in controller.unusable() {
        log::warn(format_args!("namespace {id} is no disk: {reason}"));
    }
}
