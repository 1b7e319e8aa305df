//! A ring: its memory, and how the device is told of it.

use crate::error::Error;
use alloc::rc::Rc;
use capos_e1000e::{Layout, Memory};
use core::sync::atomic::{Ordering, fence};
use rt::generated::{DeviceClient, DeviceMmioClient, DeviceQueueClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;

/// What a driver writes of a ring, and reads.
pub struct Ring {
    layout: Layout,
    driver: Rc<Region>,
    /// Where the kernel says what the device wrote back; nothing where we see that ourselves.
    answers: Option<Region>,
}

impl Memory for Ring {
    #[inline]
    fn write_descriptor(&self, index: u16, words: [u64; 2]) {
        self.driver.store_all(self.layout.descriptor(index).into(), &words);
    }
    #[inline]
    fn answer(&self, index: u16) -> u64 {
        let word = match &self.answers {
            Some(answers) => answers.load((self.layout.answer(index) - self.layout.answers()).into()),
            None => self.driver.load(u64::from(self.layout.descriptor(index)) + 8),
        };
        word.unwrap_or(0)
    }
    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

/// How the device is told.
pub enum Teller {
    /// By ourselves: a register.
    Tail(u32),
    /// By the kernel, which looks at where we say how far we are.
    Kernel { queue: DeviceQueueClient, words: Rc<Region>, layout: Layout },
}

impl Teller {
    /// Has the kernel make a queue; gives its memory to who decides.
    pub fn new(function: &DeviceClient, number: u16, layout: Layout) -> Result<(Teller, Ring), Error> {
        let queue = function.queue_blocking(number, layout.size())?;
        let info = queue.info_blocking()?;
        let (submissions, completions) = (info.submission_size.into(), info.completion_size.into());
        let driver = Region::map(&queue.submission_blocking()?, 0, submissions, Protection::ReadWrite)?;
        let driver = Rc::new(driver);
        if info.direct {
            let tail = u32::try_from(info.bell_offset).unwrap_or(u32::MAX);
            return Ok((Teller::Tail(tail), Ring { layout, driver, answers: None }));
        }
        let answers = Region::map(&queue.completion_blocking()?, 0, completions, Protection::Read)?;
        let words = Rc::clone(&driver);
        Ok((Teller::Kernel { queue, words, layout }, Ring { layout, driver, answers: Some(answers) }))
    }

    /// Tells the device how far it may go.
    #[inline]
    pub fn tell(&self, window: &DeviceMmioClient, tail: u16) -> Result<(), Error> {
        match self {
            Teller::Tail(register) => {
                // Descriptors come before that.
                fence(Ordering::SeqCst);
                window.write_blocking(*register, 4, tail.into())?;
            }
            Teller::Kernel { queue, words, layout } => {
                fence(Ordering::Release);
                words.store16(layout.tail().into(), tail);
                while queue.publish_blocking()?.more {}
            }
        }
        Ok(())
    }

    /// Has the kernel say what the device wrote back, if we do not see it.
    #[inline]
    pub fn look(&self) -> Result<(), Error> {
        if let Teller::Kernel { queue, .. } = self {
            queue.publish_blocking()?;
        }
        Ok(())
    }
}
