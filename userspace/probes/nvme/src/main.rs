//! Drives an NVMe controller by commands: who it is, a queue of its own, sectors that the lab knows; then what a driver must not try.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod controller;
mod ends;
mod hostile;
mod pair;
mod stage;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use controller::{IDS, Nvme, PAGE, READ, SECTOR, WRITE, failed, transfer};
use kit::device::is_settled;
use kit::dma::Buffer;
use pair::Pair;
use probe::{Fields, Keeper, Report, number};
use rt::{CallError, Env, block_on};
use stage::Stage;

rt::main!(run);

/// Sectors that are read, and how much of each the lab is told.
const ONE: u64 = 5;
const MANY: u64 = 100;
const TOLD: usize = 32;

/// A sector that is written.
const OURS: u64 = 7;

/// Pages of a transfer that takes a list.
const PAGES: u64 = 4;

fn run(mut env: Env) -> i64 {
    let seed = number(&env, "seed", 1);
    if let Some(code) = ends::part(&mut env, seed) {
        return code;
    }
    match Stage::new(&mut env) {
        Ok(stage) => {
            let done = all(&stage);
            if let Err(error) = &done {
                stage.report.check("nvme", false, error);
            }
            stage.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn all(stage: &Stage) -> Result<(), CallError> {
    let Stage { report, keeper, .. } = stage;
    let backend = settled(keeper)?;
    keeper.rest(IDS)?;
    let before = keeper.audit.counts()?;
    work(report, stage.nvme()?)?;
    stage.bait_disk()?;
    keeper.rest(IDS)?;
    stage.await_watcher("nvme.begin", 1)?;
    let rows = hostile::play(stage)? + ends::play(stage)?;
    stage.await_watcher("nvme.end", 2)?;
    report.event("nvme.done", Fields::new().value("rows", rows).text("backend", &backend));
    keeper.rest(IDS)?;
    keeper.audit.report(report, before);
    Ok(())
}

/// How the device reaches memory, once that is known.
fn settled(keeper: &Keeper) -> Result<String, CallError> {
    loop {
        let mut nvme = Nvme::of(keeper.claim(IDS, "nvme")?, keeper.audit.timer())?;
        nvme.identify(1, 0)?;
        let settled = block_on(is_settled(&nvme.device, nvme.timer, || Ok::<_, CallError>(())))?;
        if settled {
            return Ok(format!("{:?}", nvme.device.info_blocking()?.backend));
        }
        drop(nvme);
        keeper.rest(IDS)?;
    }
}

/// Who the controller is, and what is on its disk.
fn work(report: &Report, mut nvme: Nvme<'_>) -> Result<(), CallError> {
    nvme.identify(1, 0)?;
    let (serial, model) = (nvme.text(4, 20), nvme.text(24, 40));
    report.event("nvme.identified", Fields::new().text("serial", &serial).text("model", &model));
    let mut pair = nvme.open()?;
    let buffer = nvme.buffer(PAGES as u32 + 1)?;
    let token = buffer.token();
    // Half of a page, so that it begins within one.
    let begin = PAGE / 2;
    read(&nvme, &mut pair, transfer(READ, ONE, 1, [token + begin, 0]))?;
    tell(report, &buffer, ONE, begin);
    // The pointers behind the first one are in a list, which lies in the last page.
    let pointers: Vec<u8> = (1..PAGES).flat_map(|page| (token + page * PAGE).to_le_bytes()).collect();
    buffer.write(PAGES * PAGE, &pointers);
    let sectors = PAGES * PAGE / SECTOR;
    read(&nvme, &mut pair, transfer(READ, MANY, sectors, [token, token + PAGES * PAGE]))?;
    tell(report, &buffer, MANY, 0);
    tell(report, &buffer, MANY + sectors - 1, PAGES * PAGE - SECTOR);
    let ours: Vec<u8> = (0..SECTOR).map(|n| (n * 7) as u8).collect();
    buffer.write(0, &ours);
    read(&nvme, &mut pair, transfer(WRITE, OURS, 1, [token, 0]))?;
    read(&nvme, &mut pair, transfer(READ, OURS, 1, [token + PAGE, 0]))?;
    let mut found = [0; SECTOR as usize];
    buffer.read(PAGE, &mut found);
    report.check("nvme.written", found[..] == ours[..], "what was written is read");
    Ok(())
}

/// Has it done, whatever it is.
fn read(nvme: &Nvme<'_>, pair: &mut Pair, command: pair::Command) -> Result<(), CallError> {
    pair.submit(command)?;
    match pair.wait(nvme.timer)? {
        Some(0) => Ok(()),
        _ => Err(failed()),
    }
}

/// Tells the lab how a sector begins that lies there.
fn tell(report: &Report, buffer: &Buffer, sector: u64, offset: u64) {
    let mut bytes = [0; TOLD];
    buffer.read(offset, &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    report.event("nvme.sector", Fields::new().value("sector", sector).text("bytes", &hex));
}
