//! What a device's core is to the server around it.

use alloc::string::String;
use capos_block::Tag;
use capos_block::{Geometry, Request, Status};

/// Why a request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The device has no room now: it is to be asked again when something is over.
    Busy,
    /// It is over already: nothing was asked of the device.
    Over(Status),
}

/// One request is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Over {
    /// As it was submitted.
    pub tag: Tag,
    /// How it ended.
    pub status: Status,
    /// What the device said, in its own numbers.
    pub detail: u32,
}

/// One disk of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// What requests depend on.
    pub geometry: Geometry,
    /// Its PCI function: bus << 8 | device << 3 | function.
    pub address: u32,
    /// Its number on the device, from 1.
    pub namespace: u32,
    /// What the device says that it is.
    pub serial: String,
    /// The same.
    pub model: String,
}

/// A device that is up, from one reset to the next. Its methods never wait. `disk` is an index into what [`Disk::disks`] gave.
pub trait Disk {
    /// Why it is to be reset, or given up.
    type Fault;

    /// What is there.
    fn disks(&self) -> &[Description];

    /// Which arrival of its device it is (`Device.info`): another one had no power since the one before.
    fn arrival(&self) -> u32;

    /// How many requests it has at a time at most. Tags are below that.
    fn depth(&self) -> u16;

    /// Takes a request that was checked against the geometry. `token` is where its data begins for the device. `now` is the time,
    /// nanoseconds since boot, up to a second late.
    fn submit(
        &mut self,
        tag: Tag,
        disk: usize,
        request: &Request,
        token: u64,
        now: u64,
    ) -> Result<(), Refusal>;

    /// Tells the device of what was submitted, here or as a further step of a request in [`Disk::take`], and that what was taken may be used again.
    fn publish(&mut self) -> Result<(), Self::Fault>;

    /// One that is over. Each tag once for each submission.
    fn take(&mut self, now: u64) -> Result<Option<Over>, Self::Fault>;

    /// To be asked when there is nothing to take, before waiting: whether an interrupt will tell of the next one.
    fn may_sleep(&mut self) -> Result<bool, Self::Fault>;

    /// It interrupted.
    fn interrupted(&mut self) -> Result<(), Self::Fault>;

    /// Somebody asks what it is like: whether that is not what [`Disk::disks`] says any more, so that it is to be brought up anew. A device that
    /// can not tell without being asked stays what it was until its next reset.
    fn is_changed(&mut self) -> Result<bool, Self::Fault> {
        Ok(false)
    }

    /// When to call [`Disk::on_timeout`]; never while it has nothing to do.
    fn deadline(&self) -> Option<u64>;

    /// It is `now`.
    fn on_timeout(&mut self, now: u64) -> Result<(), Self::Fault>;
}
