//! How long a driver is missed that was killed.

use crate::measure::{Bench, Region, middle};
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use kit::block::Client;
use probe::{Fields, options};
use rt::block::{Operation, Request};
use rt::generated::{ByteStreamClient, DisksClient, ServicesClient};
use rt::{CallError, Env, block_on};

/// The service whose driver it is, and what it exports.
const DRIVER: &str = "rng";
const EXPORT: &str = "entropy";

/// Kills. Nobody kills a driver without end, and who does waits longer and longer.
const KILLS: usize = 9;
/// Bytes of a request, and the time until it is made again, nanoseconds.
const BYTES: u32 = 16;
const AGAIN_NS: u64 = 20_000;

/// Bytes of memory that a disk is read into, and bits of the addresses that devices here have.
const PAGE: u64 = 4096;
const ADDRESS_BITS: u8 = 64;

/// The client of a driver, and who may kill it.
pub struct Restart {
    services: ServicesClient,
    driver: &'static str,
    served: Served,
}

/// What the client has of it.
enum Served {
    Stream(ByteStreamClient),
    Disks(DisksClient),
}

impl Restart {
    /// If this is about that.
    pub fn wanted(env: &mut Env) -> Option<Restart> {
        let services = env.client("services").ok()?;
        match options::text(env, "restart") {
            Some(driver) => {
                Some(Restart { services, driver, served: Served::Disks(env.client("disks").ok()?) })
            }
            None => {
                Some(Restart { services, driver: DRIVER, served: Served::Stream(env.client(EXPORT).ok()?) })
            }
        }
    }

    /// From the kill until a client has been served again: what all processes and the kernel execute, and how long that takes.
    pub fn measure(&self, bench: &Bench) -> Result<(), CallError> {
        match &self.served {
            Served::Stream(stream) => self.kill_all(bench, "driver.restart", || {
                while !stream.read_blocking(BYTES).is_ok_and(|bytes| !bytes.is_empty()) {
                    bench.audit.pause(AGAIN_NS);
                }
                true
            }),
            Served::Disks(disks) => {
                let disk = block_on(Client::open(disks.disk_blocking(0)?, 1))?;
                let memory = rt::threads::memory().create_dma_object_blocking(PAGE, ADDRESS_BITS)?;
                let read = read(&disk, block_on(disk.attach(memory))?);
                let name = format!("driver.restart.{}", self.driver);
                // Who serves it asks again what the driver had: nothing is to be done but to wait.
                self.kill_all(bench, &name, || block_on(disk.perform(read)).is_ok())
            }
        }
    }

    /// The figures of `name` when `serve` is what the client waits for.
    fn kill_all(&self, bench: &Bench, name: &str, serve: impl Fn() -> bool) -> Result<(), CallError> {
        let mut is_served = serve();
        let mut times = Vec::with_capacity(KILLS);
        for _ in 0..KILLS {
            let region = Region::start();
            self.services.kill_blocking(self.driver)?;
            is_served &= serve();
            times.push(region.stop());
        }
        bench.report.check(name, is_served, "it was not served");
        bench.tell_counted(name, bench.cost(0, 1));
        let time = Fields::new().text("name", &format!("{name}.time")).text("unit", "ns");
        bench.report.event("figure", time.value("value", middle(&mut times)));
        Ok(())
    }
}

/// A page from the begin of the disk.
fn read(disk: &Rc<Client>, buffer: u16) -> Request {
    let sectors = (PAGE >> disk.geometry().sector_shift) as u32;
    Request { id: 0, operation: Operation::Read, durable: false, buffer, offset: 0, first: 0, sectors }
}
