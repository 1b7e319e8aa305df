//! The entropy device (virtio 1.2, 5.4): one queue, and every buffer that the device is given comes back with random bytes.
//!
//! A driver keeps buffers with the device, so that some are filled when somebody asks. What is in them is only as random as
//! the device is honest; who uses it mixes it with other sources.

use crate::DeviceFault;
use crate::layout::Layout;
use crate::split::{Memory, Piece, Queue};
use crate::transport::Wish;

/// PCI device ids of vendor 0x1af4: the modern one, and that of a transitional device (4.1.2.1).
pub const DEVICE_IDS: [u16; 2] = [0x1044, 0x1005];

/// Time that the device may take for a buffer, before it is taken for broken.
pub const TIMEOUT_NS: u64 = 5_000_000_000;

/// What a driver with `vectors` interrupt vectors wants of the device: one queue, and no configuration (5.4.4).
pub const fn wish(vectors: u16) -> Wish<0> {
    Wish { features: 0, queues: &[8], needed: 1, vectors, config: [] }
}

/// Where a buffer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Buffer {
    /// With the driver, and empty.
    Free,
    /// With the device, in this chain.
    Posted(u16),
    /// With the driver, and filled.
    Filled,
}

/// A buffer with random bytes at its begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filled {
    /// Which one; to be given back by [`Rng::release`].
    pub buffer: usize,
    /// How many.
    pub length: u32,
}

/// What happened since the driver started; resets do not change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Buffers filled.
    pub filled: u64,
    /// Bytes in these.
    pub bytes: u64,
    /// What the device did wrong.
    pub faults: u64,
    /// Resets.
    pub resets: u64,
}

/// The driver's decisions, over `N` buffers of one length.
#[derive(Debug)]
pub struct Rng<M, const N: usize> {
    /// None until the device was reset and its queue attached.
    queue: Option<Queue<M, N>>,
    tokens: [u64; N],
    length: u32,
    buffers: [Buffer; N],
    /// When the device last did something, or was given something while it had nothing.
    progress: u64,
    fault: Option<DeviceFault>,
    counters: Counters,
}

impl<M: Memory, const N: usize> Rng<M, N> {
    /// With buffers of `length` bytes, which is not 0, at these tokens.
    pub const fn new(tokens: [u64; N], length: u32) -> Self {
        let counters = Counters { filled: 0, bytes: 0, faults: 0, resets: 0 };
        let buffers = [Buffer::Free; N];
        Rng { queue: None, tokens, length, buffers, progress: 0, fault: None, counters }
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The device was reset, and this is its queue's new memory: what it had is the driver's again.
    pub fn on_reset(&mut self, memory: M, layout: Layout) {
        self.queue = Some(Queue::new(memory, layout, false));
        for buffer in self.buffers.iter_mut().filter(|buffer| matches!(buffer, Buffer::Posted(_))) {
            *buffer = Buffer::Free;
        }
        self.fault = None;
        self.counters.resets += 1;
    }

    /// Gives every free buffer to the device. True when there were any: then the queue is to be published, or the device notified.
    #[must_use = "the device does not look by itself"]
    pub fn submit(&mut self, now: u64) -> bool {
        let Some(queue) = self.queue.as_mut().filter(|_| self.fault.is_none()) else { return false };
        if queue.in_flight() == 0 {
            self.progress = now;
        }
        let mut added = false;
        let free = self.buffers.iter_mut().zip(self.tokens).filter(|(buffer, _)| **buffer == Buffer::Free);
        for (buffer, token) in free {
            // A ring with fewer descriptors than we have buffers leaves some for later.
            let Ok(id) = queue.add(&[Piece { token, length: self.length, writable: true }]) else { break };
            *buffer = Buffer::Posted(id);
            added = true;
        }
        added
    }

    /// Takes a buffer that the device has filled. To be asked until there is none.
    ///
    /// # Errors
    /// What the device did wrong; the same again until [`Rng::on_reset`].
    pub fn on_completion(&mut self, now: u64) -> Result<Option<Filled>, DeviceFault> {
        let used = self.guarded(Queue::take_used)?.flatten();
        let Some(used) = used else { return Ok(None) };
        self.progress = now;
        // 5.4.6.2: the device places one byte at least.
        if used.length == 0 {
            return Err(self.fail(DeviceFault::Empty));
        }
        let buffer = self.buffers.iter().position(|buffer| *buffer == Buffer::Posted(used.id));
        let Some(state) = buffer.and_then(|at| self.buffers.get_mut(at)) else { return Ok(None) };
        *state = Buffer::Filled;
        self.counters.filled += 1;
        self.counters.bytes += u64::from(used.length);
        Ok(buffer.map(|buffer| Filled { buffer, length: used.length }))
    }

    /// The bytes of a filled buffer were used; it may be filled again.
    pub fn release(&mut self, buffer: usize) {
        if let Some(buffer @ Buffer::Filled) = self.buffers.get_mut(buffer) {
            *buffer = Buffer::Free;
        }
    }

    /// To be called when there is nothing to take, before waiting for an interrupt; see [`Queue::may_sleep`].
    ///
    /// # Errors
    /// See [`Rng::on_completion`].
    pub fn may_sleep(&mut self) -> Result<bool, DeviceFault> {
        Ok(self.guarded(Queue::may_sleep)?.unwrap_or(true))
    }

    /// When to call [`Rng::on_timeout`]; never while the device has nothing to do.
    pub fn deadline(&self) -> Option<u64> {
        let busy = self.queue.as_ref().is_some_and(|queue| queue.in_flight() > 0);
        busy.then(|| self.progress.saturating_add(TIMEOUT_NS))
    }

    /// It is `now`, and nothing came.
    ///
    /// # Errors
    /// [`DeviceFault::Silent`] when the device had its time.
    pub fn on_timeout(&mut self, now: u64) -> Result<(), DeviceFault> {
        match (self.fault, self.deadline()) {
            (Some(fault), _) => Err(fault),
            (None, Some(deadline)) if now >= deadline => Err(self.fail(DeviceFault::Silent)),
            _ => Ok(()),
        }
    }

    /// Asks the queue, if there is one; a faulty device stays one.
    fn guarded<T>(
        &mut self,
        ask: impl FnOnce(&mut Queue<M, N>) -> Result<T, DeviceFault>,
    ) -> Result<Option<T>, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let answer = self.queue.as_mut().map(ask).transpose();
        answer.map_err(|fault| self.fail(fault))
    }

    fn fail(&mut self, fault: DeviceFault) -> DeviceFault {
        self.fault = Some(fault);
        self.counters.faults += 1;
        fault
    }
}
