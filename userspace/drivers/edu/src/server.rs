//! The device as an `Edu`.

use crate::device::Device;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_edu::{Job, JobError, Outcome};
use core::cell::RefCell;
use kit::service::Handler;
use rt::generated::edu::{EduServer, serve_edu};
use rt::{CallContext, Exception, ExceptionCode, Request, Signal};

/// Most bytes that one call copies, as the interface says.
const MOST: usize = 3072;

/// Everybody's device.
pub struct Server {
    device: RefCell<Option<Rc<Device>>>,
    /// There is one now.
    there: Signal,
}

impl Server {
    /// Without one.
    pub fn new() -> Self {
        Server { device: RefCell::default(), there: Signal::new() }
    }

    /// There is a device now.
    pub fn has(&self, device: Rc<Device>) {
        self.device.replace(Some(device));
        self.there.notify();
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
        match self.device().await.job(Job::Factorial(number)).await.map_err(refused)? {
            Outcome::Factorial(result) => Ok(result),
            _ => Err(ExceptionCode::DeviceFault.into()),
        }
    }

    async fn interrupt(&self, _cx: &CallContext, bits: u32) -> Result<(), Exception> {
        self.device().await.job(Job::Raise(bits)).await.map(drop).map_err(refused)
    }

    async fn copy(&self, _cx: &CallContext, data: &[u8]) -> Result<Vec<u8>, Exception> {
        if data.len() > MOST {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        self.device().await.copy(data).await.map_err(refused)
    }
}
