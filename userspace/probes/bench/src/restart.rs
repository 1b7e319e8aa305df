//! How long a driver is missed that was killed.

use crate::measure::{Bench, Region, middle};
use alloc::vec::Vec;
use probe::Fields;
use rt::generated::{ByteStreamClient, ServicesClient};
use rt::{CallError, Env};

/// The service whose driver it is, and what it exports.
const DRIVER: &str = "rng";
const EXPORT: &str = "entropy";

/// Kills. Nobody kills a driver without end, and who does waits longer and longer.
const KILLS: usize = 9;
/// Bytes of a request, and the time until it is made again, nanoseconds.
const BYTES: u32 = 16;
const AGAIN_NS: u64 = 20_000;

/// The client of a driver, and who may kill it.
pub struct Restart {
    services: ServicesClient,
    stream: ByteStreamClient,
}

impl Restart {
    /// If this is about that.
    pub fn wanted(env: &mut Env) -> Option<Restart> {
        Some(Restart { services: env.client("services").ok()?, stream: env.client(EXPORT).ok()? })
    }

    /// `driver.restart`: from the kill until a client has been served again: what all processes and the kernel execute, and how long that takes.
    pub fn measure(&self, bench: &Bench) -> Result<(), CallError> {
        self.serve(bench);
        let mut times = Vec::with_capacity(KILLS);
        for _ in 0..KILLS {
            let region = Region::start();
            self.services.kill_blocking(DRIVER)?;
            self.serve(bench);
            times.push(region.stop());
        }
        bench.tell_counted("driver.restart", bench.cost(0, 1));
        let time = Fields::new().text("name", "driver.restart.time").text("unit", "ns");
        bench.report.event("figure", time.value("value", middle(&mut times)));
        Ok(())
    }

    fn serve(&self, bench: &Bench) {
        while !self.stream.read_blocking(BYTES).is_ok_and(|bytes| !bytes.is_empty()) {
            bench.audit.pause(AGAIN_NS);
        }
    }
}
