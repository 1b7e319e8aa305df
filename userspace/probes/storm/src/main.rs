//! Somebody of low priority has the kernel do much at once, in all the ways that there are, and somebody of high priority naps meanwhile: how
//! late the sleeper wakes is how long the kernel could not be interrupted, and what it took to come to it.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod storms;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use probe::{Audit, Fields, Nursery, Report};
use rt::{CallError, Env, EnvError};
use storms::{Storm, WHAT};

rt::main!(run);

/// How long the sleeper sleeps at a time.
const NAP_NS: u64 = 100_000;

/// What the parts need.
pub struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env).map(Arc::new) {
        Ok(setup) => {
            let done = all(&setup);
            if let Err(error) = &done {
                setup.report.check("storm", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

fn all(setup: &Arc<Setup>) -> Result<(), CallError> {
    // Once to warm up: the kernel's heap and ours then have the size that they need.
    for (_, storm) in WHAT {
        brave(setup, storm)?;
    }
    let before = setup.audit.counts()?;
    for (what, storm) in WHAT {
        let (done, naps, latest) = brave(setup, storm)?;
        let fields = Fields::new().text("what", what).value("done", done).value("naps", naps);
        setup.report.event("storm.over", fields.value("latest_ns", latest));
    }
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// How much the storm did, how often we napped meanwhile, and how late we woke up at worst.
fn brave(setup: &Arc<Setup>, storm: Storm) -> Result<(u64, u64, u64), CallError> {
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (theirs, done, system) = (over.clone(), count.clone(), setup.clone());
    let tell = move |many| {
        done.store(many, Ordering::Relaxed);
        theirs.store(true, Ordering::Relaxed);
    };
    let thread = storm(&system, Box::new(tell))?;
    let (naps, latest) = setup.audit.nap_until(&over, NAP_NS, u64::MAX)?;
    thread.join()?;
    Ok((count.load(Ordering::Relaxed), naps, latest))
}
