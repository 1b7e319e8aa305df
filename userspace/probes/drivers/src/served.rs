//! Drivers, and what their clients ask for.

use alloc::vec::Vec;
use rt::generated::{ByteStreamClient, EduClient};
use rt::{CallError, Client};

/// What a driver exports.
pub trait Served: Client {
    /// The driver.
    const PROGRAM: &'static str;
    /// By which class the kernel knows its device.
    const POLICY: &'static str;

    /// Asks it for all that it does, the nth time. Whether the answer is right.
    #[allow(async_fn_in_trait, reason = "an executor runs on the thread that made it")]
    async fn ask(&self, nth: u32) -> Result<bool, CallError>;
}

impl Served for ByteStreamClient {
    const PROGRAM: &'static str = "rng";
    const POLICY: &'static str = "virtio";

    async fn ask(&self, _nth: u32) -> Result<bool, CallError> {
        const BYTES: u32 = 300;
        Ok(!self.read(BYTES).await?.is_empty())
    }
}

impl Served for EduClient {
    const PROGRAM: &'static str = "edu";
    const POLICY: &'static str = "edu";

    async fn ask(&self, nth: u32) -> Result<bool, CallError> {
        let computed = self.factorial(5).await? == 120;
        self.interrupt(1).await?;
        let bytes: Vec<u8> = (0..nth + 40).map(|n| (n * 31 + nth) as u8).collect();
        Ok(computed && self.copy(&bytes).await? == bytes)
    }
}
