//! The device at work, as the server around it knows it.

use crate::name;
use alloc::vec::Vec;
use capos_block::{Request, Tag};
use capos_virtio::blk::{self, AREA_BYTES, Blk, FIELDS, Shape, wish};
use capos_virtio::{Step, Transport};
use kit::block::{Description, Disk, Over, Refusal};
use kit::dma::Buffer;
use kit::virtio::{Error, Registers, Ring, Virtqueue, bring_up};
use rt::generated::{DeviceClient, DmaPoolClient, InterruptClient, SignallerClient, TimerClient};

/// Bits of an address that the device takes, and of the largest memory that it is to find: as large as any that is made for devices.
const ADDRESS_BITS: u8 = 64;
const BUFFER_BITS: u8 = 21;

/// Bytes of a page.
const PAGE: u32 = 4096;

/// Time between looks at whether the device has told its name.
const LOOK_EVERY_NS: u64 = 100_000;

/// From a reset to the next.
pub struct Device {
    blk: Blk<Ring, Buffer>,
    transport: Transport<FIELDS>,
    registers: Registers,
    queues: Vec<Virtqueue>,
    interrupt: InterruptClient,
    description: [Description; 1],
    arrival: u32,
}

impl Device {
    /// Brings it up. Its interrupts set what `interrupts` says.
    pub async fn set_up(
        function: &DeviceClient,
        timer: &TimerClient,
        interrupts: SignallerClient,
    ) -> Result<(Device, DmaPoolClient), Error> {
        let interrupt = function.interrupt_blocking(0)?;
        interrupt.bind_blocking(interrupts)?;
        let registers = Registers::find(function)?;
        let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let area = Buffer::allocate(&pool, AREA_BYTES / PAGE)?;
        let mut transport = Transport::new(registers.interface(), wish(registers.vectors(1)));
        let queues = bring_up(function, &registers, &mut transport, timer).await?;
        let shape = Shape::new(transport.features(), transport.config())?;
        let mut rings = Vec::new();
        for queue in &queues {
            rings.push((queue.ring()?, queue.layout()));
        }
        let (token, geometry) = (area.token(), shape.geometry);
        let blk = Blk::new(registers.interface(), shape, area, token, rings)?;
        let info = function.info_blocking()?;
        let (address, arrival) = (info.address, info.arrival);
        let (serial, model) = Default::default();
        let description = [Description { geometry, address, namespace: 1, serial, model }];
        let mut device = Device { blk, transport, registers, queues, interrupt, description, arrival };
        // What it is called is the first that it is asked.
        let asked = device.blk.ask_id(timer.now_blocking()?);
        debug_assert!(asked, "nothing is under way");
        device.tell()?;
        device.registers.let_go()?;
        device.interrupt.acknowledge_blocking()?;
        Ok((device, pool))
    }

    /// Waits until the device has told its name.
    pub async fn learn_name(&mut self, timer: &TimerClient) -> Result<(), Error> {
        loop {
            let now = timer.now_blocking()?;
            // Nothing else is under way, so nothing else can come.
            self.blk.take(now)?;
            if let Some(id) = self.blk.id() {
                let [disk] = &mut self.description;
                disk.serial = name::text(id);
                return Ok(());
            }
            if self.blk.deadline().is_some_and(|deadline| deadline <= now) {
                self.blk.on_timeout(self.registers.status()?, now)?;
            }
            timer.sleep_until(now.saturating_add(LOOK_EVERY_NS)).await?;
        }
    }

    /// Has the kernel look at what the device has done, and whatever else there is for it to do.
    pub fn look(&self) -> Result<(), Error> {
        self.queues.iter().try_for_each(Virtqueue::publish)
    }

    /// Tells the device of what was submitted.
    #[inline]
    fn tell(&mut self) -> Result<(), Error> {
        let mut news = self.blk.publish();
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
}

impl Disk for Device {
    type Fault = Error;

    fn disks(&self) -> &[Description] {
        &self.description
    }

    fn arrival(&self) -> u32 {
        self.arrival
    }

    fn depth(&self) -> u16 {
        self.blk.depth()
    }

    #[inline]
    fn submit(
        &mut self,
        tag: Tag,
        _disk: usize,
        request: &Request,
        token: u64,
        now: u64,
    ) -> Result<(), Refusal> {
        self.blk.submit(tag, request, token, now).map_err(|refusal| match refusal {
            blk::Refusal::Busy => Refusal::Busy,
            blk::Refusal::Over(status) => Refusal::Over(status),
        })
    }

    #[inline]
    fn publish(&mut self) -> Result<(), Error> {
        self.tell()
    }

    #[inline]
    fn take(&mut self, now: u64) -> Result<Option<Over>, Error> {
        let over = self.blk.take(now)?;
        Ok(over.map(|blk::Completion { tag, status, detail }| Over { tag, status, detail }))
    }

    #[inline]
    fn may_sleep(&mut self) -> Result<bool, Error> {
        Ok(self.blk.may_sleep()?)
    }

    fn interrupted(&mut self) -> Result<(), Error> {
        if self.registers.vectors(1) == 0 {
            self.registers.let_go()?;
            self.interrupt.acknowledge_blocking()?;
        }
        Ok(())
    }

    /// Its capacity may have changed (virtio 1.2, 5.2.5).
    fn is_changed(&mut self) -> Result<bool, Error> {
        self.transport.changed();
        loop {
            // The time matters only to a reset.
            match self.transport.step(0) {
                Step::Read(register) => self.transport.value(self.registers.read(register)?),
                Step::Failed(fault) => return Err(fault.into()),
                _ => break,
            }
        }
        let Shape { geometry, .. } = Shape::new(self.transport.features(), self.transport.config())?;
        let [disk] = &self.description;
        Ok(geometry != disk.geometry)
    }

    fn deadline(&self) -> Option<u64> {
        self.blk.deadline()
    }

    fn on_timeout(&mut self, now: u64) -> Result<(), Error> {
        Ok(self.blk.on_timeout(self.registers.status()?, now)?)
    }
}
