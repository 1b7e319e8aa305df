//! What the line receives, through a shared queue: whoever opens one gets it instead of whoever had one before.
//!
//! Bytes stay in the driver until there is room in the queue and its reader lives: what is in the queue of a reader that dies is lost, as what
//! it had read would be.

use crate::device::Device;
use alloc::rc::Rc;
use kit::queue::{End, Sender};
use rt::generated::shared_queue::SharedQueueServer;
use rt::generated::{MemoryObjectClient, SignallerClient};
use rt::queue::bytes::{capacity, pack};
use rt::{CallContext, Exception, ExceptionCode, Outgoing, Signal, select, spawn};

/// Words of an entry: 64 bytes.
const WORDS: usize = 8;

/// Opens queues.
pub struct Input {
    device: Rc<Device>,
    opened: Rc<Signal>,
}

impl Input {
    /// Of this device.
    pub fn new(device: Rc<Device>) -> Self {
        Input { device, opened: Rc::new(Signal::new()) }
    }
}

impl SharedQueueServer for Input {
    async fn open(
        &self,
        _cx: &CallContext,
        memory: MemoryObjectClient,
        doorbell: SignallerClient,
        entries: u32,
        produce: bool,
    ) -> Result<Outgoing, Exception> {
        if produce {
            return Err(Exception::new(ExceptionCode::Unsupported, "the line is written as a ByteStream"));
        }
        let accepted = Sender::accept(&memory, entries, doorbell);
        let (sender, bell) = accepted.map_err(|_| Exception::from(ExceptionCode::InvalidArgument))?;
        self.opened.notify();
        spawn(feed(Rc::clone(&self.device), sender, Rc::clone(&self.opened), self.opened.epoch()));
        Ok(bell.into())
    }
}

/// Fills a queue until its reader is gone or the next one is opened.
async fn feed(device: Rc<Device>, mut sender: Sender<WORDS>, opened: Rc<Signal>, epoch: u64) {
    // Its end is no concern of ours: who wants to go on reading opens another.
    let _ = select(opened.since(epoch), fill(&device, &mut sender)).await;
}

async fn fill(device: &Device, sender: &mut Sender<WORDS>) -> End {
    loop {
        while device.uart.borrow().received() == 0 {
            device.received.wait().await;
        }
        if let Err(end) = sender.ready().await {
            return end;
        }
        let mut bytes = [0; capacity::<WORDS>()];
        let count = device.uart.borrow_mut().receive(&mut bytes);
        device.work.notify();
        let (entry, _) = pack(bytes.get(..count).unwrap_or_default());
        if let Err(end) = sender.push(&entry).await {
            return end;
        }
    }
}
