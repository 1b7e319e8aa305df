//! What drivers of virtio devices share: where the registers are, how a device is brought up, and queues in memory.
//!
//! `capos-virtio` decides; here is what it asks for. The registers are the kernel's to write, one call each: that is for setting up.

use crate::device::{Refused, start};
use crate::dma::Buffer;
use alloc::vec::Vec;
use capos_pci::virtio::{Block, blocks};
use capos_pci::{Address, Bar, Config, Header, Space};
use capos_virtio::register::{Register, Width, Window};
use capos_virtio::split::Memory;
use capos_virtio::{DeviceFault, Interface, Layout, Step, Transport};
use core::fmt;
use core::sync::atomic::{Ordering, fence};
use rt::CallError;
use rt::generated::{DeviceClient, DeviceMmioClient, DeviceQueueClient, IoPortClient, TimerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Base address registers of a function.
const BARS: usize = 6;
/// The one of the legacy interface.
const LEGACY_BAR: u8 = 0;

/// Why a device does not work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The kernel refuses something.
    Call(Refused),
    /// The device is none.
    Device(DeviceFault),
    /// It has no such registers.
    NoRegisters(Window),
}

impl Error {
    /// Whether a reset may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Device(_) => true,
            Error::Call(refused) => refused.is_of_device(),
            Error::NoRegisters(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(refused) => refused.fmt(f),
            Error::Device(fault) => fault.fmt(f),
            Error::NoRegisters(window) => write!(f, "the device has no {window:?} registers"),
        }
    }
}

impl From<CallError> for Error {
    #[track_caller]
    fn from(error: CallError) -> Self {
        Error::Call(Refused::from(error))
    }
}

impl From<DeviceFault> for Error {
    fn from(fault: DeviceFault) -> Self {
        Error::Device(fault)
    }
}

/// Configuration space of our function, which only the kernel writes.
struct ConfigSpace<'d>(&'d DeviceClient);

impl Config for ConfigSpace<'_> {
    fn read32(&self, _: Address, register: u16) -> u32 {
        self.0.config_blocking(register, 4).unwrap_or(u32::MAX)
    }
    fn write32(&self, _: Address, _: u16, _: u32) {}
    fn write16(&self, _: Address, _: u16, _: u16) {}
    fn write8(&self, _: Address, _: u16, _: u8) {}
}

/// The registers of a device.
pub struct Registers {
    bars: [Option<DeviceMmioClient>; BARS],
    /// Those of the legacy interface, if there is no other.
    ports: Option<IoPortClient>,
    /// Base address register and offset of each window that there is.
    places: Vec<(Window, u8, u32)>,
    /// Messages that the device has; without any it signals by its line.
    messages: u16,
}

impl Registers {
    /// As its capabilities say (virtio 1.2, 4.1.4); without any it is a legacy device (4.1.4.8).
    pub fn find(device: &DeviceClient) -> Result<Registers, Error> {
        let mut numbers = 0..;
        let bars = [(); BARS].map(|()| device.window_blocking(numbers.next().unwrap_or(0)).ok());
        let config = ConfigSpace(device);
        let info = device.info_blocking()?;
        let (address, messages) = (Address::new(info.address), info.messages);
        let (address, header) = address
            .and_then(|address| Some((address, Header::read(&config, address)?)))
            .ok_or(Error::Device(DeviceFault::Gone))?;
        let mut numbers = 0..;
        let shapes = bars.each_ref().map(|window| {
            let index = numbers.next().unwrap_or(0);
            let size = window.as_ref()?.info_blocking().ok()?;
            // Where it is the kernel does not tell: anywhere but nowhere.
            Some(Bar { index, base: size, size, space: Space::Memory { wide: false, prefetchable: false } })
        });
        let mut places = Vec::new();
        for found in blocks(&config, address, &header, &shapes).flatten() {
            let window = match found.block {
                Block::Common => Window::Common,
                Block::Interrupt => Window::Isr,
                Block::Device => Window::Device,
                _ => continue,
            };
            let offset = u32::try_from(found.offset).map_err(|_| Error::NoRegisters(window))?;
            places.push((window, found.bar, offset));
        }
        let ports = match places.is_empty() {
            true => Some(device.ports_blocking(LEGACY_BAR)?),
            false => None,
        };
        Ok(Registers { bars, ports, places, messages })
    }

    /// Messages that there are for a driver that has a use for so many.
    pub fn vectors(&self, most: u16) -> u16 {
        self.messages.min(most)
    }

    /// Has the device let go of its line, if it signals by that, so that it is heard only for what comes from now on (virtio 1.2, 4.1.4.5).
    pub fn let_go(&self) -> Result<(), Error> {
        match self.messages {
            0 => self.read(self.interface().isr()).map(drop),
            _ => Ok(()),
        }
    }

    /// The device's status (virtio 1.2, 2.1).
    pub fn status(&self) -> Result<u8, Error> {
        self.read(self.interface().status()).map(|status| status as u8)
    }

    /// Which interface they are of.
    pub fn interface(&self) -> Interface {
        if self.ports.is_some() { Interface::Legacy } else { Interface::Modern }
    }

    /// Reads a register.
    pub fn read(&self, register: Register) -> Result<u32, Error> {
        if let Some((ports, offset)) = self.port(register) {
            return Ok(match register.width {
                Width::Bits8 => ports.read8_blocking(offset)?.into(),
                Width::Bits16 => ports.read16_blocking(offset)?.into(),
                Width::Bits32 => ports.read32_blocking(offset)?,
            });
        }
        let (window, offset, width) = self.place(register)?;
        Ok(window.read_blocking(offset, width)? as u32)
    }

    /// Writes a register.
    pub fn write(&self, register: Register, value: u32) -> Result<(), Error> {
        if let Some((ports, offset)) = self.port(register) {
            let written = match register.width {
                Width::Bits8 => ports.write8_blocking(offset, value as u8),
                Width::Bits16 => ports.write16_blocking(offset, value as u16),
                Width::Bits32 => ports.write32_blocking(offset, value),
            };
            return Ok(written?);
        }
        let (window, offset, width) = self.place(register)?;
        Ok(window.write_blocking(offset, width, value.into())?)
    }

    /// Where a register of the legacy interface is.
    fn port(&self, register: Register) -> Option<(&IoPortClient, u16)> {
        let ports = self.ports.as_ref().filter(|_| register.window == Window::Legacy)?;
        Some((ports, u16::try_from(register.offset).ok()?))
    }

    fn place(&self, register: Register) -> Result<(&DeviceMmioClient, u32, u8), Error> {
        let width = match register.width {
            Width::Bits8 => 1,
            Width::Bits16 => 2,
            Width::Bits32 => 4,
        };
        // The first of each kind counts (4.1.4.1).
        let place = self.places.iter().find(|(window, ..)| *window == register.window);
        let found = place.and_then(|(_, bar, base)| {
            let window = self.bars.get(usize::from(*bar))?.as_ref()?;
            Some((window, base.checked_add(register.offset)?, width))
        });
        found.ok_or(Error::NoRegisters(register.window))
    }
}

/// A queue of the device.
pub struct Virtqueue {
    queue: DeviceQueueClient,
    layout: Layout,
    /// How the device is told by ourselves; else the kernel does that, and translates.
    bell: Option<Bell>,
}

/// A doorbell, mapped.
struct Bell {
    page: Region,
    offset: u64,
    value: u16,
}

impl Bell {
    /// That of a queue, if it is ours to ring.
    fn of(queue: &DeviceQueueClient, registers: &Registers) -> Result<Option<Bell>, Error> {
        let info = queue.info_blocking()?;
        if !info.direct {
            return Ok(None);
        }
        let window = registers.bars.get(usize::from(info.bell_bar)).and_then(Option::as_ref);
        let page = u32::try_from(info.bell_offset / PAGE * PAGE).ok();
        let (window, page) = window.zip(page).ok_or(Error::NoRegisters(Window::Common))?;
        let page = Region::of_registers(window, page, PAGE as u32)?;
        Ok(Some(Bell { page, offset: info.bell_offset % PAGE, value: info.bell_value as u16 }))
    }
}

impl Virtqueue {
    /// Makes the queue.
    fn new(device: &DeviceClient, registers: &Registers, queue: u16, layout: Layout) -> Result<Self, Error> {
        let queue = device.queue_blocking(queue, layout.size())?;
        let bell = Bell::of(&queue, registers)?;
        Ok(Virtqueue { queue, layout, bell })
    }

    /// Its form.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Its memory, to be given to who drives it.
    pub fn ring(&self) -> Result<Ring, Error> {
        let (used, end) = (u64::from(self.layout.used()), u64::from(self.layout.bytes()));
        let driver = Region::map(&self.queue.submission_blocking()?, 0, used, Protection::ReadWrite)?;
        let device = Region::map(&self.queue.completion_blocking()?, 0, end - used, Protection::Read)?;
        Ok(Ring { driver, device, used })
    }

    /// Tells the device of what was added. Without an IOMMU it is the kernel that does so, and looks at what came back as well.
    pub fn publish(&self) -> Result<(), Error> {
        if let Some(bell) = &self.bell {
            // The ring comes before the bell.
            fence(Ordering::SeqCst);
            bell.page.store16(bell.offset, bell.value);
            return Ok(());
        }
        while self.queue.publish_blocking()?.more {}
        Ok(())
    }
}

/// The memory of a queue: what we write, and what the device writes. Nothing that the layout names is outside.
pub struct Ring {
    driver: Region,
    device: Region,
    used: u64,
}

impl Memory for Ring {
    #[inline]
    fn read16(&self, offset: u32) -> u16 {
        self.device.load16(self.written_by_device(offset)).unwrap_or(0)
    }
    #[inline]
    fn read32(&self, offset: u32) -> u32 {
        self.device.load32(self.written_by_device(offset)).unwrap_or(0)
    }
    #[inline]
    fn read32_pair(&self, offset: u32) -> [u32; 2] {
        self.device.load32_pair(self.written_by_device(offset)).unwrap_or_default()
    }
    #[inline]
    fn write16(&self, offset: u32, value: u16) {
        self.driver.store16(offset.into(), value);
    }
    #[inline]
    fn write32(&self, offset: u32, value: u32) {
        self.driver.store32(offset.into(), value);
    }
    #[inline]
    fn write64(&self, offset: u32, value: u64) {
        self.driver.store(offset.into(), value);
    }
    #[inline]
    fn write64_pair(&self, offset: u32, values: [u64; 2]) {
        self.driver.store_all(offset.into(), &values);
    }
    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

impl Ring {
    /// A driver never reads what it wrote itself: all that is read is the device's.
    #[inline]
    fn written_by_device(&self, offset: u32) -> u64 {
        u64::from(offset).wrapping_sub(self.used)
    }
}

/// Memory of the driver's own that the device reads and writes, too.
impl Memory for Buffer {
    #[inline]
    fn read16(&self, offset: u32) -> u16 {
        self.region().load16(offset.into()).unwrap_or(0)
    }
    #[inline]
    fn read32(&self, offset: u32) -> u32 {
        self.region().load32(offset.into()).unwrap_or(0)
    }
    #[inline]
    fn write16(&self, offset: u32, value: u16) {
        self.region().store16(offset.into(), value);
    }
    #[inline]
    fn write32(&self, offset: u32, value: u32) {
        self.region().store32(offset.into(), value);
    }
    #[inline]
    fn write64(&self, offset: u32, value: u64) {
        self.region().store(offset.into(), value);
    }
    #[inline]
    fn write64_pair(&self, offset: u32, values: [u64; 2]) {
        self.region().store_all(offset.into(), &values);
    }
    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

/// Resets the device and brings it up; gives its queues, in order. Its pool has to be there already.
pub async fn bring_up<const F: usize>(
    device: &DeviceClient,
    registers: &Registers,
    transport: &mut Transport<F>,
    timer: &TimerClient,
) -> Result<Vec<Virtqueue>, Error> {
    let mut queues = Vec::new();
    loop {
        match transport.step(timer.now_blocking()?) {
            Step::Write(register, value) => registers.write(register, value)?,
            Step::Read(register) => transport.value(registers.read(register)?),
            Step::Attach { queue, layout, .. } => {
                queues.push(Virtqueue::new(device, registers, queue, layout)?);
            }
            Step::Pause { until } => timer.sleep_until(until).await?,
            Step::Ready => break,
            Step::Failed(fault) => return Err(fault.into()),
        }
    }
    start(device, timer).await?;
    Ok(queues)
}
