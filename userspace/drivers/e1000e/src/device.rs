//! The device at work, as the server around it knows it.

use crate::error::Error;
use crate::ring::{Ring, Teller};
use alloc::vec::Vec;
use capos_e1000e::{
    Adapter, BringUp, CAUSES, Checksum, DeviceFault, Done, FURTHEST, Filter, Frame, Layout, ROOM, Register,
    STATUS, Step, cause,
};
use capos_nic::{Card, Filled, Offloads, Request, Tag};
use kit::device::start;
use kit::nic::{Busy, Description, Fronts, Link, Nic, Over, Server};
use rt::generated::{DeviceClient, DeviceMmioClient, DmaPoolClient, InterruptClient, TimerClient};
use rt::{CallError, ExceptionCode};

/// Bits of an address that the device takes, and of the largest memory that it is to find: as large as any that is made for devices.
const ADDRESS_BITS: u8 = 64;
const BUFFER_BITS: u8 = 21;

/// Descriptors of a ring.
const ENTRIES: u16 = 256;

/// Most bytes behind the Ethernet header of a frame.
const MTU: u16 = 1500;

/// From a reset to the next.
pub struct Device {
    adapter: Adapter<Ring>,
    window: DeviceMmioClient,
    /// For buffers, and for frames.
    tellers: [Teller; 2],
    interrupt: InterruptClient,
    description: Description,
    /// It may have written back what the kernel has not looked at.
    is_fresh: bool,
}

impl kit::nic::Device for Device {
    async fn set_up(
        function: &DeviceClient,
        timer: &TimerClient,
        server: &Server,
    ) -> Result<(Device, DmaPoolClient), Error> {
        let window = function.window_blocking(0)?;
        let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let interrupt = function.interrupt_blocking(0)?;
        interrupt.bind_blocking(server.interrupts()?)?;
        start(function, timer).await?;
        let (adapter, tellers) = bring_up(function, &window, timer)?;
        let info = function.info_blocking()?;
        let (address, arrival) = (info.address, info.arrival);
        let depth = adapter.depths().into_iter().max().unwrap_or(0);
        let description = Description { mac: mac(adapter.mac()), card: CARD, depth, address, arrival };
        let is_fresh = true;
        let mut device = Device { adapter, window, tellers, interrupt, description, is_fresh };
        device.publish()?;
        device.interrupt.acknowledge_blocking()?;
        Ok((device, pool))
    }

    fn look(&self) -> Result<(), Error> {
        self.tellers.iter().try_for_each(Teller::look)
    }
}

/// Segments it would make only of frames whose headers are prepared, in memory that is its client's.
const CARD: Card = Card {
    mtu: MTU,
    least: ROOM as u32,
    furthest: FURTHEST,
    offloads: Offloads {
        checksum: true,
        segments_v4: false,
        segments_v6: false,
        checked: true,
        merged: false,
    },
};

fn bring_up(
    function: &DeviceClient,
    window: &DeviceMmioClient,
    timer: &TimerClient,
) -> Result<(Adapter<Ring>, [Teller; 2]), Error> {
    let layout = Layout::new(ENTRIES).ok_or(DeviceFault::NotReady)?;
    let mut bring_up = BringUp::new();
    let mut tellers = Vec::new();
    loop {
        match bring_up.step() {
            Step::Read(register) => bring_up.value(read(window, register)?),
            Step::Write(Register(offset), value) => window.write_blocking(offset, 4, value.into())?,
            Step::Attach(queue) => {
                let (teller, ring) = Teller::new(function, queue, layout)?;
                tellers.push(teller);
                let attached = bring_up.attached(ring, layout);
                attached.map_err(|_| CallError::Exception(ExceptionCode::OutOfMemory.into()))?;
            }
            Step::Ready => break,
            Step::Failed(fault) => return Err(fault.into()),
        }
    }
    let adapter = bring_up.finish(timer.now_blocking()?).ok_or(DeviceFault::NotReady)?;
    let tellers = tellers.try_into().map_err(|_| DeviceFault::NotReady)?;
    Ok((adapter, tellers))
}

fn read(window: &DeviceMmioClient, Register(offset): Register) -> Result<u32, Error> {
    Ok(window.read_blocking(offset, 4)? as u32)
}

fn mac([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// A frame as the device's core wants it.
#[inline]
fn frame(token: u64, request: &Request) -> Frame {
    let checksum = request.checksum.map(|sum| Checksum { start: sum.start, offset: sum.offset });
    Frame { token, length: request.length, checksum }
}

impl Nic for Device {
    type Fault = Error;

    fn description(&self) -> &Description {
        &self.description
    }

    fn link(&self) -> Link {
        let capos_e1000e::Link { is_up, mbits } = self.adapter.link();
        Link { is_up, mbits }
    }

    #[inline]
    fn receive(&mut self, tag: Tag, token: u64, length: u32, now: u64) -> Result<(), Busy> {
        self.adapter.receive(tag, token, length, now).map_err(|_| Busy)
    }

    #[inline]
    fn send(&mut self, tag: Tag, token: u64, request: &Request, now: u64) -> Result<(), Busy> {
        self.adapter.send(tag, &frame(token, request), now).map_err(|_| Busy)
    }

    #[inline]
    fn publish(&mut self) -> Result<(), Error> {
        let bells = self.adapter.publish();
        for (teller, tail) in self.tellers.iter().zip([bells.receive, bells.send]) {
            if let Some(tail) = tail {
                teller.tell(&self.window, tail)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, _: &impl Fronts, _now: u64) -> Result<Option<Over>, Error> {
        loop {
            match self.adapter.take()? {
                Some(Done::Sent { tag }) => return Ok(Some(Over::Sent(tag))),
                Some(Done::Received { tag, length, is_good }) => {
                    let filled = Filled { is_checked: is_good, goes_on: false, skip: 0, length };
                    return Ok(Some(Over::Filled(tag, filled)));
                }
                None if self.is_fresh => {
                    self.is_fresh = false;
                    kit::nic::Device::look(self)?;
                }
                None => return Ok(None),
            }
        }
    }

    #[inline]
    fn may_sleep(&mut self) -> Result<bool, Error> {
        Ok(self.adapter.may_sleep()? && !self.is_fresh)
    }

    fn interrupted(&mut self, _: bool) -> Result<(), Error> {
        // What comes from now on is told of anew, and what came until now is looked for.
        self.is_fresh = true;
        let causes = read(&self.window, CAUSES)?;
        self.interrupt.acknowledge_blocking()?;
        if causes & cause::LINK != 0 {
            self.adapter.look(read(&self.window, STATUS)?)?;
        }
        Ok(())
    }

    fn listen(&mut self, promiscuous: bool, multicast: bool, _now: u64) -> Result<bool, Error> {
        let (register, value) = Filter { stations: promiscuous, groups: multicast }.control();
        self.window.write_blocking(register.0, 4, value.into())?;
        Ok(true)
    }

    fn deadline(&self) -> Option<u64> {
        self.adapter.deadline()
    }

    fn on_timeout(&mut self, now: u64) -> Result<(), Error> {
        kit::nic::Device::look(self)?;
        Ok(self.adapter.on_timeout(read(&self.window, STATUS)?, now)?)
    }
}
