//! The device at work, as the server around it knows it.

use crate::error::Error;
use alloc::vec::Vec;
use capos_nic::{Card, Filled, Offloads, Request, Tag};
use capos_virtio::net::{
    self, AREA_BYTES, Buffers, Done, FIELDS, Filter, Frame, Net, Options, Segment, Shape,
};
use capos_virtio::{Step, Transport};
use kit::dma::Buffer;
use kit::nic::{Busy, Description, Fronts, Link, Nic, Over, Server};
use kit::virtio::{Registers, Ring, Virtqueue, bring_up};
use rt::generated::{DeviceClient, DmaPoolClient, InterruptClient, TimerClient};
use rt::log;
use rt::schema::device_manager::DmaBackend;

/// Bits of an address that the device takes, and of the largest memory that it is to find: as large as any that is made for devices.
const ADDRESS_BITS: u8 = 64;
const BUFFER_BITS: u8 = 21;

/// Bytes of a page.
const PAGE: u32 = 4096;

/// Messages: for what is received, for what was sent, and for what the device is like.
const MESSAGES: u16 = 3;

/// From a reset to the next.
pub struct Device {
    net: Net<Ring, Buffer>,
    transport: Transport<FIELDS>,
    registers: Registers,
    queues: Vec<Virtqueue>,
    interrupts: Vec<InterruptClient>,
    description: Description,
    is_direct: bool,
}

impl kit::nic::Device for Device {
    async fn set_up(
        function: &DeviceClient,
        timer: &TimerClient,
        server: &Server,
    ) -> Result<(Device, DmaPoolClient), Error> {
        let registers = Registers::find(function)?;
        let interrupts = interrupts(function, &registers, server)?;
        let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let area = Buffer::allocate(&pool, AREA_BYTES / PAGE)?;
        let is_direct = function.info_blocking()?.backend == DmaBackend::Direct;
        let options = Options { direct: is_direct, large: true, pairs: false };
        let mut transport = net::transport(registers.interface(), registers.vectors(MESSAGES), options);
        let queues = bring_up(function, &registers, &mut transport, timer).await?;
        let shape = Shape::new(transport.features(), transport.config())?;
        let mut rings = Vec::new();
        for queue in &queues {
            rings.push((queue.ring()?, queue.layout()));
        }
        let token = area.token();
        let now = timer.now_blocking()?;
        let mut net = Net::new(shape, area, token, rings, now)?;
        // Devices begin with telling of everything. It is also something that they do at once, by which it is seen how they reach memory; one that can not
        // choose does nothing until a frame comes.
        let _ = net.set_filter(Filter::NOTHING, now);
        let info = function.info_blocking()?;
        let depth = net.depths().into_iter().max().unwrap_or(0);
        let depth = u16::try_from(depth).unwrap_or(u16::MAX);
        let (card, mac) = (card(&shape, transport.features()), mac(&shape));
        let description = Description { mac, card, depth, address: info.address, arrival: info.arrival };
        let mut device = Device { net, transport, registers, queues, interrupts, description, is_direct };
        device.tell()?;
        device.registers.let_go()?;
        for interrupt in &device.interrupts {
            interrupt.acknowledge_blocking()?;
        }
        Ok((device, pool))
    }

    fn look(&self) -> Result<(), Error> {
        Ok(self.queues.iter().try_for_each(Virtqueue::publish)?)
    }
}

impl Device {
    /// Tells the device of what it was given.
    #[inline]
    fn tell(&mut self) -> Result<(), Error> {
        let mut news = self.net.publish();
        if self.is_direct {
            news = self.net.bells(news);
        }
        for queue in &self.queues {
            if news == 0 {
                break;
            }
            if news & 1 != 0 {
                queue.publish()?;
            }
            news >>= 1;
        }
        Ok(())
    }

    /// It says that it is not what it was.
    fn look_again(&mut self) -> Result<(), Error> {
        self.transport.changed();
        loop {
            // The time matters only to a reset.
            match self.transport.step(0) {
                Step::Read(register) => self.transport.value(self.registers.read(register)?),
                Step::Failed(fault) => return Err(fault.into()),
                _ => break,
            }
        }
        if self.net.reconfigure(self.transport.config())? {
            let shape = self.net.shape();
            (self.description.card, self.description.mac) =
                (card(shape, self.transport.features()), mac(shape));
        }
        Ok(())
    }
}

/// Binds them: the last one tells of what the device is like, if there is more than one.
fn interrupts(
    function: &DeviceClient,
    registers: &Registers,
    server: &Server,
) -> Result<Vec<InterruptClient>, Error> {
    let count = registers.vectors(MESSAGES).max(1);
    let mut interrupts = Vec::new();
    for index in 0..count {
        let interrupt = function.interrupt_blocking(index)?;
        let is_last = index + 1 == count && count > 1;
        interrupt.bind_blocking(if is_last { server.changes()? } else { server.interrupts()? })?;
        interrupts.push(interrupt);
    }
    Ok(interrupts)
}

fn card(shape: &Shape, features: u64) -> Card {
    let [segments_v4, segments_v6] = shape.segments();
    let offloads = Offloads {
        checksum: shape.fills_checksums(),
        segments_v4,
        segments_v6,
        checked: features & net::features::GUEST_CSUM != 0,
        merged: shape.is_large(),
    };
    Card { mtu: shape.mtu, least: shape.least_room(), furthest: u16::MAX, offloads }
}

/// Its address; one without has none that anybody else has.
fn mac(shape: &Shape) -> u64 {
    let [a, b, c, d, e, f] = shape.mac.unwrap_or_default();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// What the device wrote in front of frames.
struct Headers<'f, F>(&'f F);

impl<F: Fronts> Buffers for Headers<'_, F> {
    #[inline]
    fn header(&self, tag: Tag) -> [u32; 3] {
        let [first, second] = self.0.front(tag).unwrap_or_default();
        [first as u32, (first >> 32) as u32, second as u32]
    }
}

impl Nic for Device {
    type Fault = Error;

    fn description(&self) -> &Description {
        &self.description
    }

    fn link(&self) -> Link {
        Link { is_up: self.net.shape().link, mbits: 0 }
    }

    #[inline]
    fn receive(&mut self, tag: Tag, token: u64, length: u32, _now: u64) -> Result<(), Busy> {
        self.net.receive(tag, token, length).map_err(|_| Busy)
    }

    #[inline]
    fn send(&mut self, tag: Tag, token: u64, request: &Request, now: u64) -> Result<(), Busy> {
        self.net.send(tag, &frame(token, request), now).map_err(|_| Busy)
    }

    #[inline]
    fn publish(&mut self) -> Result<(), Error> {
        self.tell()
    }

    #[inline]
    fn take(&mut self, fronts: &impl Fronts, now: u64) -> Result<Option<Over>, Error> {
        loop {
            return Ok(match self.net.take(&Headers(fronts), now)? {
                None => None,
                Some(Done::Sent { tag }) => Some(Over::Sent(tag)),
                Some(Done::Received { tag, skip, length, more, is_good }) => {
                    Some(Over::Filled(tag, Filled { is_checked: is_good, goes_on: more, skip, length }))
                }
                Some(Done::Told { command, is_done }) => {
                    if !is_done {
                        log::warn(format_args!("the device refuses a command: {command:?}"));
                    }
                    continue;
                }
            });
        }
    }

    #[inline]
    fn may_sleep(&mut self) -> Result<bool, Error> {
        Ok(self.net.may_sleep()?)
    }

    fn set_few(&mut self, few: u16) {
        self.net.set_few(few);
    }

    fn interrupted(&mut self, changed: bool) -> Result<(), Error> {
        if self.registers.vectors(MESSAGES) > 0 {
            return if changed { self.look_again() } else { Ok(()) };
        }
        // Bit 1 of the line's cause is the configuration (virtio 1.2, 4.1.4.5).
        let cause = self.registers.read(self.registers.interface().isr())?;
        for interrupt in &self.interrupts {
            interrupt.acknowledge_blocking()?;
        }
        if cause & 2 != 0 { self.look_again() } else { Ok(()) }
    }

    fn listen(&mut self, promiscuous: bool, multicast: bool, now: u64) -> Result<bool, Error> {
        let filter = match (promiscuous, multicast) {
            (true, _) => Filter::EVERYTHING,
            (false, true) => Filter::ALL_GROUPS,
            (false, false) => Filter::NOTHING,
        };
        Ok(self.net.set_filter(filter, now).is_ok())
    }

    fn deadline(&self) -> Option<u64> {
        self.net.deadline()
    }

    fn on_timeout(&mut self, now: u64) -> Result<(), Error> {
        Ok(self.net.on_timeout(self.registers.status()?, now)?)
    }
}

/// A frame as the device's core wants it.
#[inline]
fn frame(token: u64, request: &Request) -> Frame {
    let checksum = request.checksum.map(|sum| net::Checksum { start: sum.start, offset: sum.offset });
    let segment = request.segments.map(|it| Segment { size: it.size, headers: it.headers, is_v6: it.is_v6 });
    Frame { token, length: request.length, checksum, segment, flow: 0 }
}
