//! The device as an `Edu`.

use crate::device::Device;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_edu::{Job, JobError, Outcome};
use kit::service::Handler;
use rt::generated::edu::{EduServer, serve_edu};
use rt::{CallContext, Exception, ExceptionCode, Request};

/// Most bytes that one call copies, as the interface says.
const MOST: usize = 3072;

/// Everybody's device.
pub struct Server {
    device: Rc<Device>,
}

impl Server {
    /// Of this device.
    pub fn new(device: Rc<Device>) -> Self {
        Server { device }
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        serve_edu(&*self, request).await;
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
        match self.device.job(Job::Factorial(number)).await.map_err(refused)? {
            Outcome::Factorial(result) => Ok(result),
            _ => Err(ExceptionCode::DeviceFault.into()),
        }
    }

    async fn interrupt(&self, _cx: &CallContext, bits: u32) -> Result<(), Exception> {
        self.device.job(Job::Raise(bits)).await.map(drop).map_err(refused)
    }

    async fn copy(&self, _cx: &CallContext, data: &[u8]) -> Result<Vec<u8>, Exception> {
        if data.len() > MOST {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        self.device.copy(data).await.map_err(refused)
    }
}
