//! A device of which nothing is known: its driver has all of its registers, so that it names any address. Only an IOMMU can stop that, and
//! without one it does not get anywhere.

use crate::edu::{ENGINE, PLACE, TO_DEVICE, TO_MEMORY, rest};
use crate::forge;
use crate::grant::{BAIT, Buffer};
use crate::stage::{Row, Stage, said};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::{DeviceClient, DeviceMmioClient};
use rt::{CallError, block_on};

pub const ROWS: &[Row<()>] = &[
    Row::new("unknown-class-without-iommu", without_iommu, "Unsupported Unsupported Clear"),
    Row::new("unknown-class-forges-interrupts", forge::without_iommu, "Unsupported Silent"),
];

/// Where no device is proven to be behind an IOMMU, or where one is.
pub const DIRECT: &[Row<()>] = &[
    Row::new("any-address-written", writes, "Served"),
    Row::new("any-address-read", reads, "Nothing"),
    Row::new("any-address-after-free", after_free, "Served Untouched Unread"),
];

/// Places that are somebody's: firmware, kernel, programs, the range of interrupts, what tokens of others look like.
const PLACES: [u64; 8] =
    [0x7000, 0x10_0000, 0x20_0000, 0x100_0000, 0x400_0000, 0xfff_f000, 0xfee0_0000, 0x2_0000];

/// One that nobody uses: there the watcher has hidden something.
const UNUSED: u64 = 0x600_0000;

/// The device knows where our memory was, and a unit that translates may remember it. We still have it, and see.
fn after_free(stage: &Stage, (): ()) -> Result<String, CallError> {
    let device = baited(stage)?;
    let pool = device.pool_blocking(28, 16)?;
    let (mut freed, other) =
        (Buffer::allocate(&pool, 1, stage.seed)?, Buffer::allocate(&pool, 1, stage.seed)?);
    let (window, token) = (device.window_blocking(0)?, freed.token());
    block_on(kit::device::start(&device, stage.timer()))?;
    copy(stage, &window, [PLACE, token, BAIT, TO_MEMORY])?;
    let served = freed.has_bait();
    freed.drop_bait();
    freed.free();
    copy(stage, &window, [PLACE, token, BAIT, TO_MEMORY])?;
    let untouched = freed.is_clear();
    // And what is there now.
    copy(stage, &window, [other.token(), PLACE, BAIT, TO_DEVICE])?;
    freed.take_bait();
    copy(stage, &window, [token, PLACE, BAIT, TO_DEVICE])?;
    copy(stage, &window, [PLACE, other.token(), BAIT, TO_MEMORY])?;
    Ok(format!(
        "{} {} {}",
        if served { "Served" } else { "Idle" },
        if untouched { "Untouched" } else { "Touched" },
        if other.is_clear() { "Unread" } else { "Read" }
    ))
}

/// The device copies, whatever it is told.
pub fn copy(stage: &Stage, window: &DeviceMmioClient, words: [u64; 4]) -> Result<(), CallError> {
    for (register, word) in ENGINE.into_iter().zip(words) {
        window.write_blocking(register, 8, word)?;
    }
    rest(window, stage.timer())
}

/// The device has the bait; its next driver has no policy.
fn baited(stage: &Stage) -> Result<DeviceClient, CallError> {
    let edu = stage.edu()?;
    edu.bait_device(stage.timer())?;
    drop(edu);
    stage.edu_device("plain")
}

fn without_iommu(stage: &Stage, (): ()) -> Result<String, CallError> {
    let device = baited(stage)?;
    let pool = said(device.pool_blocking(28, 16));
    let window = device.window_blocking(0)?;
    let started = said(block_on(kit::device::start(&device, stage.timer())));
    for place in PLACES {
        copy(stage, &window, [PLACE, place, BAIT, TO_MEMORY])?;
    }
    // What it did not read it does not have; the next looks into it.
    copy(stage, &window, [UNUSED, PLACE, BAIT, TO_DEVICE])?;
    drop((window, device));
    let edu = stage.edu()?;
    edu.transfer(stage.timer(), [PLACE, edu.buffer.token(), BAIT, TO_MEMORY])?;
    let clear = if edu.buffer.has_secret() { "Secret" } else { "Clear" };
    Ok(format!("{pool} {started} {clear}"))
}

/// It may reach what it was given, and names everything else.
fn writes(stage: &Stage, (): ()) -> Result<String, CallError> {
    let device = baited(stage)?;
    let pool = device.pool_blocking(28, 16)?;
    let ours = Buffer::allocate(&pool, 1, stage.seed)?;
    let window = device.window_blocking(0)?;
    block_on(kit::device::start(&device, stage.timer()))?;
    copy(stage, &window, [PLACE, ours.token(), BAIT, TO_MEMORY])?;
    let served = ours.has_bait();
    let (other, address) = stage.another_edu()?;
    // The same numbers as ours are theirs in their domain.
    let theirs: Vec<_> = (0..4).map_while(|_| other.allocate(1).ok()).collect();
    let last = theirs.last().map_or(0, |buffer| buffer.token());
    // Who leaves the one row out where an IOMMU does nothing about it, leaves it out here.
    let all = PLACES.into_iter().filter(|place| stage.left_out.is_none() || *place != 0xfee0_0000);
    for place in all.chain([last]) {
        copy(stage, &window, [PLACE, place, BAIT, TO_MEMORY])?;
    }
    let reached = theirs.iter().any(|buffer| !buffer.is_clear());
    drop((theirs, other));
    stage.keeper.rest_at(address)?;
    Ok(String::from(match (served, reached) {
        (true, false) => "Served",
        (false, _) => "Idle",
        (true, true) => "Reached",
    }))
}

fn reads(stage: &Stage, (): ()) -> Result<String, CallError> {
    let device = stage.edu_device("plain")?;
    let pool = device.pool_blocking(28, 16)?;
    let ours = Buffer::allocate(&pool, 1, stage.seed)?;
    let window = device.window_blocking(0)?;
    block_on(kit::device::start(&device, stage.timer()))?;
    let mut found = "Nothing";
    for place in PLACES.into_iter().chain([UNUSED]) {
        ours.drop_bait();
        copy(stage, &window, [ours.token(), PLACE, BAIT, TO_DEVICE])?;
        copy(stage, &window, [place, PLACE, BAIT, TO_DEVICE])?;
        copy(stage, &window, [PLACE, ours.token(), BAIT, TO_MEMORY])?;
        if !ours.is_clear() {
            found = "Something";
        }
    }
    Ok(String::from(found))
}
