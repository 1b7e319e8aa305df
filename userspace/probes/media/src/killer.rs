//! Who kills the disk's driver, again and again, while the medium is read.

use alloc::rc::Rc;
use core::cell::Cell;
use probe::options;
use rt::generated::{ServicesClient, TimerClient};
use rt::{CallError, Env, spawn};

/// From one kill to the next, nanoseconds.
const LIFE_NS: u64 = 20_000_000;

/// Begins, if a victim was named: how often it was killed.
pub fn start(env: &mut Env) -> Option<Rc<Cell<u64>>> {
    let victim = options::text(env, "victim")?;
    let services = env.client::<ServicesClient>("services").ok()?;
    let timer = env.client::<TimerClient>("timer").ok()?;
    let kills = Rc::new(Cell::new(0));
    let counted = Rc::clone(&kills);
    spawn(async move {
        // What ends it is missed by the lab, which counts.
        let _ = kill(&services, &timer, victim, &counted).await;
    });
    Some(kills)
}

async fn kill(
    services: &ServicesClient,
    timer: &TimerClient,
    victim: &str,
    kills: &Cell<u64>,
) -> Result<(), CallError> {
    loop {
        timer.sleep_until(timer.now().await?.saturating_add(LIFE_NS)).await?;
        // It may not have been started again yet.
        if services.kill(victim).await.is_ok() {
            kills.set(kills.get() + 1);
        }
    }
}
