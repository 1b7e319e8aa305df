//! Interrupts of others, raised by writing where they are: a driver's message, and a line of the I/O APIC.
//!
//! A write there is a message for whoever it names. One transfer has one for each vector, to all processors.

use crate::edu::{Edu, PLACE, TO_DEVICE, TO_MEMORY};
use crate::plain::copy;
use crate::stage::{Row, Stage, all_said, said};
use alloc::format;
use alloc::string::String;
use rt::generated::InterruptClient;
use rt::{CallError, Either, block_on, select};

pub const ROWS: &[Row<Edu>] = &[Row::new("forged-interrupts", named, "InvalidArgument Silent")];

/// Messages for all processors (Intel SDM volume 3, 11.11.1: destination 255).
const EVERYONE: u64 = 0xfeef_f000;
/// What vectors of interrupts are, and bytes of as many messages.
const VECTORS: core::ops::Range<u64> = 0x20..0x100;
const BYTES: u64 = (VECTORS.end - VECTORS.start) * 4;

/// Longer than an interrupt takes.
const LATER_NS: u64 = 20_000_000;

/// The device has a message for each vector.
fn load(stage: &Stage, edu: &Edu) -> Result<(), CallError> {
    for (at, vector) in (0..).step_by(8).zip(VECTORS.step_by(2)) {
        edu.buffer.put_words(at, [vector | (vector + 1) << 32]);
    }
    edu.transfer(stage.timer(), [edu.buffer.token(), PLACE, BYTES, TO_DEVICE])
}

/// Does it, and says whether another's message or a line was heard.
fn heard(stage: &Stage, forge: impl FnOnce() -> Result<String, CallError>) -> Result<String, CallError> {
    let (other, address) = stage.another_edu()?;
    let message: InterruptClient = other.device.interrupt_blocking(0)?;
    message.acknowledge_blocking()?;
    stage.line.acknowledge_blocking()?;
    let forged = forge()?;
    let until = stage.timer().now_blocking()?.saturating_add(LATER_NS);
    let any = select(message.wait(), stage.line.wait());
    let heard = match block_on(select(any, stage.timer().sleep_until(until))) {
        Either::First(Either::First(_)) => "Message",
        Either::First(Either::Second(_)) => "Line",
        Either::Second(_) => "Silent",
    };
    drop((message, other));
    stage.keeper.rest_at(address)?;
    Ok(format!("{forged} {heard}"))
}

fn named(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    load(stage, &edu)?;
    heard(stage, || {
        Ok(all_said(
            [EVERYONE, 0xfee0_0000, EVERYONE & 0x0fff_ffff]
                .map(|place| edu.transfer(stage.timer(), [PLACE, place, BYTES, TO_MEMORY])),
        ))
    })
}

/// Its driver has all registers, and names what it likes: but the device is no bus master.
pub fn without_iommu(stage: &Stage, (): ()) -> Result<String, CallError> {
    let edu = stage.edu()?;
    load(stage, &edu)?;
    drop(edu);
    let device = stage.edu_device("plain")?;
    let window = device.window_blocking(0)?;
    heard(stage, || {
        let started = said(block_on(kit::device::start(&device, stage.timer())));
        copy(stage, &window, [PLACE, EVERYONE, BYTES, TO_MEMORY])?;
        Ok(started)
    })
}
