//! Measures primitives in guest instructions: everything counts, all processes and the kernel.
//!
//! Meant for one processor under `-icount shift=0`, where a tick of the time stamp counter is an instruction as long as nobody
//! idles. `--only=PREFIX` measures some, `--samples=N` says how many medians are taken of. `--work=N,N --pairs=N,N --units=N` measure instead
//! what so many members do at once. Devices are measured where it has `devices`, and instead of all that how long a driver is missed where it
//! has `services`: of `entropy`, or with `--restart=DRIVER` of a disk; with `--disk=NAME`, how much reading from the first of its `disks` takes, whose figures begin with that name and end
//! with `--suffix`; where it has a volume's `root` and `store`, what files and blobs take; with `--network=1`, what servers take that a
//! host asks.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod blocks;
mod calls;
mod devices;
mod events;
mod faults;
mod files;
mod measure;
mod memory;
mod network;
mod primitives;
mod queues;
mod restart;
mod servers;
mod smp;

use blocks::Blocks;
use core::cell::Cell;
use files::Files;
use measure::Bench;
use network::Network;
use probe::{Audit, Nursery, Report, number, options};
use restart::Restart;
use rt::{CallError, Env, EnvError};

rt::main!(run);

fn run(mut env: Env) -> i64 {
    match options::text(&env, "role") {
        Some("server") => servers::serve(env),
        Some("bare") => servers::serve_bare(),
        Some("keeper") => servers::keep(),
        Some("faulty") => faults::fault_forever(),
        Some("partner") => events::answer_forever(),
        Some("sleeper") => queues::sleep_forever(env),
        Some("stamper") => queues::stamp_forever(env),
        Some("worker") => smp::work_forever(&env),
        Some("caller") => smp::call_forever(&env),
        Some("batch") => servers::serve_batches(),
        Some("yield") => servers::yield_forever(),
        Some("yield-bare") => servers::yield_by_hand(),
        _ => match setup(&mut env) {
            Ok(bench) => {
                let done = measure(&bench, &mut env);
                if let Err(error) = &done {
                    bench.report.check("bench", false, error);
                }
                bench.report.finish(u8::from(done.is_err()))
            }
            Err(_) => 2,
        },
    }
}

fn measure(bench: &Bench, env: &mut Env) -> Result<(), CallError> {
    if let Some(restart) = Restart::wanted(env) {
        return restart.measure(bench);
    }
    if let Some(files) = Files::wanted(env).ok().flatten() {
        return files.measure(bench);
    }
    if let Some(network) = Network::wanted(env) {
        return network.measure(bench);
    }
    if let Some(blocks) = Blocks::wanted(env) {
        return blocks.measure(bench);
    }
    if together(env) { smp::all(bench, env) } else { all(bench) }
}

/// Whether this is about several processors.
fn together(env: &Env) -> bool {
    ["work", "pairs"].iter().any(|name| options::text(env, name).is_some())
}

fn setup(env: &mut Env) -> Result<Bench, EnvError> {
    Ok(Bench {
        only: options::text(env, "only").unwrap_or(""),
        samples: number(env, "samples", 101) as usize,
        report: Report::new(env)?,
        nursery: Nursery::new(env)?,
        audit: Audit::new(env)?,
        series: Cell::new(0),
        devices: env.client("devices").ok(),
    })
}

fn all(bench: &Bench) -> Result<(), CallError> {
    primitives::nops(bench)?;
    primitives::null_call(bench)?;
    primitives::typed_calls(bench)?;
    calls::bare(bench)?;
    calls::single(bench)?;
    calls::transfer(bench)?;
    calls::batched(bench)?;
    events::round_trip(bench)?;
    faults::round_trip(bench)?;
    queues::all(bench)?;
    primitives::spawn(bench)?;
    primitives::yields(bench)?;
    memory::all(bench)?;
    devices::all(bench)
}
