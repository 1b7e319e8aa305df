//! How a device becomes quiet: the sequence of its class, without anybody waiting for it in the kernel.

use super::Refused;
use super::windows::{Reach, Window};
use capos_abi::ExceptionCode;
use capos_dma::class::{Class, Registers, Step};
use kernel_hal::time;

/// How far the sequence has come.
pub(crate) struct Quieting {
    step: usize,
    /// Since when it waits in this step; `None` before it was first looked at.
    since: Option<u64>,
}

impl Quieting {
    /// At the beginning.
    pub const fn new() -> Self {
        Quieting { step: 0, since: None }
    }

    /// Begins anew.
    pub fn begin(&mut self) {
        *self = Quieting::new();
    }

    /// Whether the sequence is at its end.
    pub fn is_through(&self, class: &Class) -> bool {
        self.step >= class.quiesce().len()
    }

    /// Goes as far as it can. True when the device is quiet.
    ///
    /// # Errors
    /// `deviceFault` when it does not answer in time.
    pub fn go_on(&mut self, class: &Class, windows: &[Window]) -> Result<bool, Refused> {
        let mut registers = Reach(windows);
        while let Some(step) = class.quiesce().get(self.step).copied() {
            match step {
                Step::Write(register, value) => registers.write(register, value),
                Step::Clear(register, bits) => {
                    let value = registers.read(register);
                    registers.write(register, value & !bits);
                }
                Step::Await { register, mask, value, limit } => {
                    if registers.read(register) & mask != value {
                        return self.wait(limit);
                    }
                }
            }
            self.step += 1;
            self.since = None;
        }
        Ok(true)
    }

    fn wait(&mut self, limit: u64) -> Result<bool, Refused> {
        let now = time::now_ns();
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) > limit { Err(ExceptionCode::DeviceFault) } else { Ok(false) }
    }
}
