//! A client of block devices that knows what it wrote. Workers have sectors of their own all over the disk and read, write, zero and discard
//! them at random; whatever they read is compared with what they know, and at the end all is read once more.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod facets;
mod hostile;
mod orders;
mod pages;
mod tally;
mod worker;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_block::{Operation, Request};
use core::cell::Cell;
use kit::block::{Client, IoError};
use pages::Pages;
use probe::{Fields, Killer, Report, number, options};
use rt::generated::{BlockDeviceClient, DisksClient};
use rt::{CallError, Env, EnvError, Signal, block_on, spawn};
use tally::Tally;
use worker::Worker;

rt::main!(run);

/// Bytes of a sector that are shown.
const SHOWN: u64 = 64;

/// Where the disk comes from.
enum Source {
    /// That of them.
    Disks(DisksClient, u32),
    Device(Rc<BlockDeviceClient>),
}

struct Probe {
    report: Rc<Report>,
    source: Source,
    seed: u64,
    requests: u64,
    workers: u64,
    /// Sectors of each.
    sectors: u64,
    /// One request in so many dozens is a flush.
    flushes: u32,
    /// Sectors whose beginnings are told.
    show: &'static str,
    /// Sectors that are copied: from which, to which, and how many.
    copy: &'static str,
    /// What is done before all that.
    orders: &'static str,
    /// How it is refused.
    refused: Option<&'static str>,
    /// How often a client that keeps to nothing does all that it can, meanwhile.
    attacks: u64,
    /// Who is killed meanwhile.
    killer: Option<Killer>,
    /// Until he is given up.
    given_up: bool,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(mut probe) => {
            let killer = probe.killer.take();
            let done = block_on(all(&probe, killer));
            if let Err(error) = &done {
                probe.report.check("the disk", false, error);
            }
            probe.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Probe, EnvError> {
    Ok(Probe {
        report: Rc::new(Report::new(env)?),
        source: source(env)?,
        refused: options::text(env, "refused"),
        attacks: number(env, "attacks", 0),
        seed: number(env, "seed", 1),
        requests: number(env, "requests", 0),
        workers: number(env, "workers", 1).max(1),
        sectors: number(env, "sectors", 256),
        flushes: number(env, "flushes", 1).max(1) as u32,
        show: options::text(env, "show").unwrap_or(""),
        copy: options::text(env, "copy").unwrap_or(""),
        orders: options::text(env, "do").unwrap_or(""),
        killer: Killer::of(env, None)?,
        given_up: number(env, "given-up", 0) > 0,
    })
}

fn source(env: &mut Env) -> Result<Source, EnvError> {
    match env.client("device") {
        Ok(device) => Ok(Source::Device(Rc::new(device))),
        Err(_) => Ok(Source::Disks(env.client("disks")?, number(env, "disk", 0) as u32)),
    }
}

async fn all(probe: &Probe, killer: Option<Killer>) -> Result<(), IoError> {
    let found;
    let disk = match &probe.source {
        Source::Device(device) => device,
        Source::Disks(disks, number) => {
            found = Rc::new(disks.disk(*number).await?);
            &found
        }
    };
    if let Some(wanted) = probe.refused {
        let refused = disk.info().await.err().and_then(|error| error.exception());
        probe.report.equal("nothing is taken for it", format!("{refused:?}"), format!("Some({wanted})"));
        return Ok(());
    }
    describe(probe, disk).await?;
    orders::follow(disk, probe.orders).await?;
    show(probe, disk).await?;
    if probe.requests == 0 {
        return copy(probe, disk, &Cell::new(false)).await;
    }
    work(probe, disk, killer).await?;
    if probe.given_up {
        return Ok(());
    }
    facets::look(&probe.report, disk).await?;
    Ok(())
}

async fn describe(probe: &Probe, disk: &Rc<BlockDeviceClient>) -> Result<(), CallError> {
    let (info, identity) = (disk.info().await?, disk.identity().await?);
    let fields = Fields::new()
        .value("sectors", info.sectors)
        .value("sector_size", info.sector_size)
        .value("most", info.most)
        .value("depth", info.depth)
        .value("read_only", info.read_only)
        .value("cache", info.cache)
        .value("discard", info.discard)
        .value("zero", info.zero)
        .value("address", identity.address)
        .value("namespace", identity.namespace)
        .text("serial", &identity.serial)
        .text("model", &identity.model);
    probe.report.event("block.disk", fields);
    Ok(())
}

/// Tells how sectors begin, for whoever knows what they hold.
async fn show(probe: &Probe, disk: &Rc<BlockDeviceClient>) -> Result<(), IoError> {
    let client = Client::open(Rc::clone(disk), 1).await?;
    let pages = Pages::new(&client, 4096).await?;
    for sector in probe.show.split(',').filter_map(|sector| sector.parse().ok()) {
        let (operation, buffer) = (Operation::Read, pages.number);
        let read = Request { id: 0, operation, durable: false, buffer, offset: 0, first: sector, sectors: 1 };
        client.perform(read).await?;
        let words = (0..SHOWN).step_by(8).map(|at| pages.word(at).to_le_bytes());
        let hex: String = words.flatten().map(|byte| format!("{byte:02x}")).collect();
        probe.report.event("block.sector", Fields::new().value("sector", sector).text("bytes", &hex));
    }
    Ok(())
}

/// Bytes that are copied at a time, and where in memory they are read to and written from: in the middle of pages.
const PIECE: u64 = 61 * 4096;
const READ_AT: u32 = 1536;
const WRITE_AT: u32 = READ_AT + PIECE as u32 + 1024;

/// Copies sectors, in pieces that are as long as one may be, for the host to compare; again and again while others are `busy`.
async fn copy(probe: &Probe, disk: &Rc<BlockDeviceClient>, busy: &Cell<bool>) -> Result<(), IoError> {
    let mut numbers = probe.copy.split(',').filter_map(|number| number.parse().ok());
    let (Some(from), Some(to), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Ok(());
    };
    let client = Client::open(Rc::clone(disk), 1).await?;
    let pages = Pages::new(&client, 2 * PIECE + 4096).await?;
    let (geometry, mut done) = (client.geometry(), 0u64);
    let most = u64::from(geometry.most).min(PIECE / geometry.bytes(1));
    while done < count {
        let (sectors, buffer) = (most.min(count - done) as u32, pages.number);
        let (first, offset) = (from + done, READ_AT);
        let read =
            Request { id: 0, operation: Operation::Read, durable: false, buffer, offset, first, sectors };
        client.perform(read).await?;
        pages.copy(READ_AT.into(), WRITE_AT.into(), geometry.bytes(sectors));
        let (first, offset) = (to + done, WRITE_AT);
        client.perform(Request { operation: Operation::Write, offset, first, ..read }).await?;
        done += u64::from(sectors);
        if done == count && busy.get() {
            done = 0;
        }
    }
    let flush = Request {
        id: 0,
        operation: Operation::Flush,
        durable: false,
        buffer: 0,
        offset: 0,
        first: 0,
        sectors: 0,
    };
    client.perform(flush).await?;
    probe.report.event("block.copied", Fields::new().value("sectors", done));
    Ok(())
}

/// Workers all over the disk, the last at its very end.
async fn work(probe: &Probe, disk: &Rc<BlockDeviceClient>, killer: Option<Killer>) -> Result<(), IoError> {
    let entries = probe.workers.next_power_of_two() as u16;
    let client = Client::open(Rc::clone(disk), entries).await?;
    let tally = Rc::new(Tally::new(&probe.report));
    let (all, count) = (client.geometry().sectors, probe.workers);
    let each = probe.sectors.min(all / count);
    let (over, running) = (Rc::new(Signal::new()), Rc::new(Cell::new(count)));
    let busy = Rc::new(Cell::new(killer.is_some() || probe.attacks > 0));
    for n in 0..count {
        let first = if n + 1 == count { all - each } else { all / count * n };
        let mut worker = Worker::new(&client, &tally, first, each as u32, probe.seed ^ n << 32).await?;
        worker.flushes = probe.flushes;
        let (report, requests) = (Rc::clone(&probe.report), probe.requests / count);
        let (over, running) = (Rc::clone(&over), Rc::clone(&running));
        let (busy, given_up) = (Rc::clone(&busy), probe.given_up);
        spawn(async move {
            match worker.work(requests, &busy).await {
                Err(error) if given_up => {
                    report.equal("who is served by nobody any more hears of it", error.is_loss(), true);
                }
                Err(error) => report.check("a worker", false, error),
                Ok(()) => report.equal("a worker comes to its end", given_up, false),
            }
            running.set(running.get() - 1);
            over.notify();
        });
    }
    if let Some(killer) = killer {
        spawn(kill(killer, Rc::clone(&probe.report), Rc::clone(&busy)));
    }
    if probe.attacks > 0 {
        hostile::attack(&probe.report, disk, probe.attacks, probe.seed).await?;
        busy.set(false);
    }
    copy(probe, disk, &busy).await?;
    while running.get() > 0 {
        let over = over.wait();
        if running.get() > 0 {
            over.await;
        }
    }
    tally.tell();
    Ok(())
}

async fn kill(mut killer: Killer, report: Rc<Report>, busy: Rc<Cell<bool>>) {
    match killer.all().await {
        Ok(kills) => report.event("block.kills", Fields::new().value("kills", kills)),
        Err(error) => report.check("killing", false, &error),
    }
    busy.set(false);
}
