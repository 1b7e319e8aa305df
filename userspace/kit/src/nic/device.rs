//! What a device's core is to the server around it.

use super::Server;
use capos_nic::{Card, Filled, Request, Stray, Tag};
use core::fmt;
use rt::CallError;
use rt::generated::{DeviceClient, DmaPoolClient, TimerClient};

/// The device has no room now: it is to be asked again when something is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// One request is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// The frame was read.
    Sent(Tag),
    /// The buffer was filled.
    Filled(Tag, Filled),
}

/// What a device is, as long as it is that one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// Its address, the first byte highest.
    pub mac: u64,
    /// What requests depend on.
    pub card: Card,
    /// How many requests of each kind it has at a time.
    pub depth: u16,
    /// Its PCI function: bus << 8 | device << 3 | function.
    pub address: u32,
    /// Which arrival of it (`Device.info`).
    pub arrival: u32,
}

/// Whether there is a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// There is one.
    pub is_up: bool,
    /// How fast it is, Mbit/s; 0 when the device does not say.
    pub mbits: u32,
}

/// The first bytes of buffers that are armed, for devices that write there what they have to say of a frame.
pub trait Fronts {
    /// The first sixteen bytes as they are now. The client may change them at any time: that is its own affair. `None` when nothing is armed by that tag.
    fn front(&self, tag: Tag) -> Option<[u64; 2]>;
}

/// Why a device is driven no longer.
pub trait Fault: From<Stray> + From<CallError> + fmt::Display {
    /// Whether a reset may help.
    fn may_pass(&self) -> bool;
}

/// How a driver comes to a device that is up.
pub trait Device: Nic + Sized {
    /// Brings up one that was reset; gives also by what it finds memory. It does something at once, by which it is seen how it reaches memory.
    fn set_up(
        function: &DeviceClient,
        timer: &TimerClient,
        server: &Server,
    ) -> impl Future<Output = Result<(Self, DmaPoolClient), Self::Fault>>;

    /// Has the kernel look at what the device has done, and whatever else there is for it to do.
    fn look(&self) -> Result<(), Self::Fault>;
}

/// A device that is up, from one reset to the next. Its methods never wait. `now` is the time, nanoseconds since boot, up to a second late.
pub trait Nic {
    /// Why it is to be reset, or given up.
    type Fault: Fault;

    /// What it is.
    fn description(&self) -> &Description;

    /// Whether there is a link.
    fn link(&self) -> Link;

    /// Takes a buffer for a frame that comes, of so many bytes from `token` on.
    fn receive(&mut self, tag: Tag, token: u64, length: u32, now: u64) -> Result<(), Busy>;

    /// Takes a frame to be sent, which was checked against the card and lies at `token`.
    fn send(&mut self, tag: Tag, token: u64, request: &Request, now: u64) -> Result<(), Busy>;

    /// Tells the device of what it was given, and that what was taken may be used again.
    fn publish(&mut self) -> Result<(), Self::Fault>;

    /// What is over. Each tag once for each time that it was given.
    fn take(&mut self, fronts: &impl Fronts, now: u64) -> Result<Option<Over>, Self::Fault>;

    /// To be asked when there is nothing to take, before waiting: whether an interrupt will tell of the next one.
    fn may_sleep(&mut self) -> Result<bool, Self::Fault>;

    /// It need not interrupt for frames that it has sent while it has only so many: they are taken with what else there is, or when [`Nic::deadline`] says.
    fn set_few(&mut self, few: u16) {
        let _ = few;
    }

    /// It interrupted, perhaps because its configuration `changed`.
    fn interrupted(&mut self, changed: bool) -> Result<(), Self::Fault>;

    /// It is to tell of everything, or of whatever is for many. False when it can not choose, and tells of all.
    fn listen(&mut self, promiscuous: bool, multicast: bool, now: u64) -> Result<bool, Self::Fault>;

    /// When to call [`Nic::on_timeout`]; never while it has nothing to do.
    fn deadline(&self) -> Option<u64>;

    /// It is `now`.
    fn on_timeout(&mut self, now: u64) -> Result<(), Self::Fault>;
}
