//! A queue pair: its memory, and how the device is told of it.

use crate::error::Error;
use alloc::rc::Rc;
use capos_nvme::{Bells, Layout, Memory, Places, own_bytes};
use core::sync::atomic::{Ordering, fence};
use kit::dma::Buffer;
use rt::generated::{DeviceClient, DeviceMmioClient, DeviceQueueClient, DmaPoolClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;

const PAGE: u64 = 4096;

/// What comes from the function, and goes with its reset.
pub struct Parts<'d> {
    pub device: &'d DeviceClient,
    pub window: DeviceMmioClient,
    pub pool: DmaPoolClient,
    /// Bytes from one doorbell to the next (CAP.DSTRD).
    pub stride: u64,
}

/// What a driver writes of a queue, and reads.
pub struct Ring {
    driver: Rc<Region>,
    device: Region,
    /// Where in the layout what the device writes begins.
    completions: u64,
    own: Buffer,
}

impl Memory for Ring {
    #[inline]
    fn write_command(&self, offset: u32, words: &[u64; 8]) {
        self.driver.store_all(offset.into(), words);
    }
    #[inline]
    fn read64(&self, offset: u32) -> u64 {
        self.device.load(u64::from(offset).wrapping_sub(self.completions)).unwrap_or(0)
    }
    #[inline]
    fn write_own(&self, offset: u32, value: u64) {
        self.own.store(offset.into(), value);
    }
    #[inline]
    fn read_own(&self, offset: u32) -> u64 {
        self.own.load(offset.into()).unwrap_or(0)
    }
    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

/// How the device is told.
enum Teller {
    /// By ourselves: a page of doorbells, and where in it that of commands is; that of completions is the next one.
    Bells { page: Region, at: u64, stride: u64 },
    /// By the kernel, which looks at where we say how far we are.
    Kernel { queue: DeviceQueueClient, words: Rc<Region>, layout: Layout },
}

/// One pair.
pub struct Pair(Teller);

impl Pair {
    /// Has the kernel make it; gives its memory to who decides.
    pub fn new(parts: &Parts<'_>, number: u16, layout: Layout) -> Result<(Pair, Ring, Places), Error> {
        let queue = parts.device.queue_blocking(number, layout.size())?;
        let info = queue.info_blocking()?;
        let (submissions, completions) = (info.submission_size.into(), info.completion_size.into());
        let driver = Region::map(&queue.submission_blocking()?, 0, submissions, Protection::ReadWrite)?;
        let driver = Rc::new(driver);
        let device = Region::map(&queue.completion_blocking()?, 0, completions, Protection::Read)?;
        let own = Buffer::allocate(&parts.pool, own_bytes(layout.size()).div_ceil(PAGE as u32))?;
        let places = Places { queue: info.token, own: own.token() };
        let teller = if info.direct {
            let at = info.bell_offset % PAGE;
            if at + parts.stride + 4 > PAGE {
                return Err(Error::Doorbells);
            }
            let begin = u32::try_from(info.bell_offset - at).map_err(|_| Error::Doorbells)?;
            let page = Region::of_registers(&parts.window, begin, PAGE as u32)?;
            Teller::Bells { page, at, stride: parts.stride }
        } else {
            Teller::Kernel { queue, words: Rc::clone(&driver), layout }
        };
        let ring = Ring { driver, device, completions: layout.completions().into(), own };
        Ok((Pair(teller), ring, places))
    }

    /// Tells the device.
    #[inline]
    pub fn tell(&self, bells: Bells) -> Result<(), Error> {
        match &self.0 {
            Teller::Bells { page, at, stride } => {
                // Commands come before their bell.
                fence(Ordering::SeqCst);
                bells.tail.map(|tail| page.store32(*at, tail.into()));
                bells.consumed.map(|index| page.store32(at + stride, index.into()));
            }
            Teller::Kernel { queue, words, layout } => {
                publish(queue, words, layout, bells)?;
            }
        }
        Ok(())
    }
}

/// Tells the device by the kernel. On its own, so that who needs no kernel does not pay for the call.
#[inline(never)]
fn publish(queue: &DeviceQueueClient, words: &Region, layout: &Layout, bells: Bells) -> Result<(), Error> {
    bells.consumed.map(|index| words.store16(layout.consumed().into(), index));
    fence(Ordering::Release);
    bells.tail.map(|tail| words.store16(layout.tail().into(), tail));
    while queue.publish_blocking()?.more {}
    Ok(())
}
