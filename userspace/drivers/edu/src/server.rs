//! The device as an `Edu`.

use crate::device::Device;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_edu::{Job, JobError, Outcome};
use core::cell::RefCell;
use kit::service::Handler;
use rt::generated::edu::{EduServer, serve_edu};
use rt::{CallContext, Either, Exception, ExceptionCode, Request, Signal, select};

/// Most bytes that one call copies, as the interface says.
const MOST: usize = 3072;

/// Everybody's device.
pub struct Server {
    device: RefCell<Option<Rc<Device>>>,
    /// There is one now.
    there: Signal,
    /// There is none any more.
    gone: Signal,
}

impl Server {
    /// Without one.
    pub fn new() -> Self {
        Server { device: RefCell::default(), there: Signal::new(), gone: Signal::new() }
    }

    /// There is a device now.
    pub fn has(&self, device: Rc<Device>) {
        self.device.replace(Some(device));
        self.there.notify();
    }

    /// There is none any more: nobody waits for what it was to do.
    pub fn has_none(&self) {
        self.device.replace(None);
        self.gone.notify();
    }

    /// Has the device do something, as soon as there is one. What was under way when it went ends with `disconnected`.
    async fn on_device<T>(&self, work: impl AsyncFn(&Device) -> Result<T, JobError>) -> Result<T, Exception> {
        let device = self.device().await;
        match select(self.gone.wait(), work(&device)).await {
            Either::First(()) => Err(ExceptionCode::Disconnected.into()),
            Either::Second(done) => done.map_err(refused),
        }
    }

    async fn device(&self) -> Rc<Device> {
        loop {
            let there = self.there.wait();
            let device = self.device.borrow().clone();
            match device {
                Some(device) => return device,
                None => there.await,
            }
        }
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        serve_edu(&*self, request).await;
    }

    fn may_wait(&self, _request: &Request) -> bool {
        self.device.borrow().is_none()
    }

    fn gone(&self, _badge: u64) {}
}

fn refused(error: JobError) -> Exception {
    match error {
        JobError::Empty | JobError::Wraps => ExceptionCode::InvalidArgument.into(),
        JobError::Busy => ExceptionCode::WrongState.into(),
        JobError::Failed => ExceptionCode::DeviceFault.into(),
    }
}

impl EduServer for Server {
    async fn factorial(&self, _cx: &CallContext, number: u32) -> Result<u32, Exception> {
        let job = async |device: &Device| device.job(Job::Factorial(number)).await;
        match self.on_device(job).await? {
            Outcome::Factorial(result) => Ok(result),
            _ => Err(ExceptionCode::DeviceFault.into()),
        }
    }

    async fn interrupt(&self, _cx: &CallContext, bits: u32) -> Result<(), Exception> {
        self.on_device(async |device: &Device| device.job(Job::Raise(bits)).await.map(drop)).await
    }

    async fn copy(&self, _cx: &CallContext, data: &[u8]) -> Result<Vec<u8>, Exception> {
        if data.len() > MOST {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        self.on_device(async |device: &Device| device.copy(data).await).await
    }
}
