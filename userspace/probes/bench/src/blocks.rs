//! Reading from a block device: application, service and driver each in its own address space.

use crate::measure::{Bench, Region, middle};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use kit::block::{Client, IoError};
use probe::options;
use rt::block::{Geometry, Operation, Request, Status};
use rt::generated::DisksClient;
use rt::{CallError, Env, block_on};

/// Entries of the queues.
const ENTRIES: u16 = 64;
/// Bytes of our memory: the largest piece that there is.
const MEMORY: u64 = 2 << 20;
/// Bits of the addresses that devices here have.
const ADDRESS_BITS: u8 = 64;
/// Steps from one sector to the next in what looks like no order: odd, so that all have their turn.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
/// Samples: each is many requests.
const SAMPLES: usize = 15;

/// What one figure reads.
struct Load {
    name: &'static str,
    bytes: u32,
    depth: u32,
    /// Requests of a sample.
    requests: u32,
    is_random: bool,
}

const LOADS: &[Load] = &[
    Load { name: "randread4k.qd1", bytes: 4096, depth: 1, requests: 64, is_random: true },
    Load { name: "randread4k.qd32", bytes: 4096, depth: 32, requests: 1024, is_random: true },
    Load { name: "seqread128k.qd4", bytes: 128 << 10, depth: 4, requests: 64, is_random: false },
];

/// The disk that is read.
pub struct Blocks {
    disks: DisksClient,
    /// What its figures begin with.
    name: &'static str,
    /// What they end with.
    suffix: &'static str,
}

impl Blocks {
    /// If this is about that.
    pub fn wanted(env: &mut Env) -> Option<Blocks> {
        let (name, suffix) = (options::text(env, "disk")?, options::text(env, "suffix").unwrap_or(""));
        Some(Blocks { disks: env.client("disks").ok()?, name, suffix })
    }

    /// All figures of it.
    pub fn measure(&self, bench: &Bench) -> Result<(), CallError> {
        let device = self.disks.disk_blocking(0)?;
        let mut reader = block_on(Reader::open(device))?;
        for load in LOADS {
            let name = format!("{}.{}{}", self.name, load.name, self.suffix);
            if bench.wants(&name) {
                self.one(bench, &name, &mut reader, load)?;
            }
        }
        Ok(())
    }

    fn one(&self, bench: &Bench, name: &str, reader: &mut Reader, load: &Load) -> Result<(), CallError> {
        let mut costs = Vec::with_capacity(SAMPLES);
        let mut failed = String::new();
        for _ in 0..=SAMPLES {
            let region = Region::start();
            if let Err(error) = block_on(reader.read(load)) {
                failed = error;
                break;
            }
            costs.push(region.stop());
        }
        bench.report.check(name, failed.is_empty(), &failed);
        let _ = middle(&mut costs);
        bench.tell_counted(name, bench.cost(0, load.requests.into()));
        Ok(())
    }
}

/// Who reads.
struct Reader {
    client: Rc<Client>,
    geometry: Geometry,
    buffer: u16,
    next: u64,
}

impl Reader {
    async fn open(device: rt::generated::BlockDeviceClient) -> Result<Reader, CallError> {
        let client = Client::open(device, ENTRIES).await?;
        let memory = rt::threads::memory().create_dma_object(MEMORY, ADDRESS_BITS).await?;
        let (geometry, buffer) = (client.geometry(), client.attach(memory).await?);
        Ok(Reader { client, geometry, buffer, next: 0 })
    }

    /// Reads as often as the load says, so many at a time.
    async fn read(&mut self, load: &Load) -> Result<(), String> {
        let (mut asked, mut done) = (0, 0);
        while done < load.requests {
            while asked < load.requests && asked - done < load.depth {
                let request = self.request(load, asked);
                if self.client.push(&request).map_err(said)?.is_none() {
                    return Err(String::from("no room"));
                }
                asked += 1;
            }
            // Whether something is over already it looks before it sleeps.
            self.client.rest().await.map_err(said)?;
            while done < asked
                && let Some((_, completion)) = self.client.take().map_err(said)?
            {
                if completion.status != Status::Done {
                    return Err(format!("{} ({:#x})", completion.status, completion.detail));
                }
                done += 1;
            }
        }
        Ok(())
    }

    fn request(&mut self, load: &Load, number: u32) -> Request {
        let sectors = load.bytes >> self.geometry.sector_shift;
        let places = (self.geometry.sectors / u64::from(sectors)).max(1);
        let step = if load.is_random { STRIDE } else { 1 };
        self.next = self.next.wrapping_add(step);
        Request {
            id: 0,
            operation: Operation::Read,
            durable: false,
            buffer: self.buffer,
            offset: number % load.depth * load.bytes,
            first: self.next % places * u64::from(sectors),
            sectors,
        }
    }
}

fn said(error: IoError) -> String {
    format!("{error}")
}
