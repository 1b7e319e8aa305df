//! A queue of commands and one of completions, in the hands of a driver.

use capos_dma::nvme::Layout;
use core::sync::atomic::{Ordering, fence};
use rt::generated::{DeviceClient, DeviceMmioClient, DeviceQueueClient, TimerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, ExceptionCode};

/// Eight words of a command.
pub type Command = [u64; 8];

/// Entries of each queue here.
const SIZE: u16 = 8;
const PAGE: u64 = 4096;

/// Bytes from a submission's doorbell to the completions' one (NVMe 1.4, 3.1.25: QEMU's stride is 0).
const STRIDE: u64 = 4;

/// Looks at completions, and the time between: a second in all.
const LOOKS: u32 = 500;
const LOOK_NS: u64 = 2_000_000;

/// One pair.
pub struct Pair {
    index: u16,
    layout: Layout,
    queue: DeviceQueueClient,
    driver: Region,
    device: Region,
    /// Where the device finds all of it, if that is for us to say.
    token: u64,
    /// The page of doorbells and the place of ours, if they are ours.
    bell: Option<(Region, u64)>,
    tail: u16,
    head: u16,
    phase: bool,
}

impl Pair {
    /// Makes the queue.
    pub fn new(device: &DeviceClient, window: &DeviceMmioClient, index: u16) -> Result<Pair, CallError> {
        const LAYOUT: Option<Layout> = Layout::new(SIZE);
        let layout = LAYOUT.ok_or_else(|| CallError::Exception(ExceptionCode::InvalidArgument.into()))?;
        let queue = device.queue_blocking(index, SIZE)?;
        let info = queue.info_blocking()?;
        let [submission, completion] = [info.submission_size, info.completion_size].map(u64::from);
        let driver = Region::map(&queue.submission_blocking()?, 0, submission, Protection::ReadWrite)?;
        let seen = Region::map(&queue.completion_blocking()?, 0, completion, Protection::Read)?;
        let bell = if info.direct {
            let page = info.bell_offset / PAGE * PAGE;
            Some((Region::of_registers(window, page as u32, PAGE as u32)?, info.bell_offset % PAGE))
        } else {
            None
        };
        let token = info.token;
        Ok(Pair { index, layout, queue, driver, device: seen, token, bell, tail: 0, head: 0, phase: true })
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        u64::from(SIZE)
    }

    /// Whether the ring is the device's own.
    pub fn is_direct(&self) -> bool {
        self.bell.is_some()
    }

    /// Where commands, completions and answers lie, as a command would say it.
    pub fn places(&self) -> [u64; 3] {
        [0, self.layout.completions(), self.layout.answers()].map(|at| self.token + u64::from(at))
    }

    /// A word of the page of answers.
    pub fn answer(&self, offset: u64) -> u64 {
        let page = u64::from(self.layout.answers() - self.layout.completions());
        self.device.load(page + offset).unwrap_or(0)
    }

    /// Writes a command as the next one, and tells of it.
    pub fn submit(&mut self, command: Command) -> Result<(), CallError> {
        let at = u64::from(self.layout.command(self.tail));
        for (n, word) in (0..).zip(command) {
            self.driver.store(at + 8 * n, word);
        }
        self.tail = (self.tail + 1) % SIZE;
        self.tell()
    }

    /// Tells how far we are. Where the kernel does that it looks at what came back, too.
    pub fn tell(&mut self) -> Result<(), CallError> {
        if let Some((page, offset)) = &self.bell {
            // Commands come before the bell.
            fence(Ordering::SeqCst);
            page.store32(*offset, self.tail.into());
            page.store32(offset + STRIDE, self.head.into());
            return Ok(());
        }
        self.driver.store16(self.layout.consumed().into(), self.head);
        fence(Ordering::Release);
        self.driver.store16(self.layout.tail().into(), self.tail);
        while self.queue.publish_blocking()?.more {}
        Ok(())
    }

    /// The status of the next completion, 0 when the device did it; none when there is none for a while.
    pub fn wait(&mut self, timer: &TimerClient) -> Result<Option<u16>, CallError> {
        let at = u64::from(self.layout.completion(self.head) - self.layout.completions());
        for _ in 0..LOOKS {
            let word = self.device.load(at + 8).unwrap_or(0);
            if (word >> 48 & 1 != 0) == self.phase {
                self.head = (self.head + 1) % SIZE;
                self.phase ^= self.head == 0;
                self.tell()?;
                // Above the command's number and the phase (4.6).
                return Ok(Some((word >> 49) as u16));
            }
            timer.sleep_until_blocking(timer.now_blocking()?.saturating_add(LOOK_NS))?;
        }
        Ok(None)
    }

    /// The number of the queue.
    pub fn index(&self) -> u64 {
        self.index.into()
    }
}
