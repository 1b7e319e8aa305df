//! The first process.
//!
//! init holds everything the kernel can do and uses it for one thing: giving each service of the manifest exactly what the
//! manifest says, under the names it says (architecture, section 7). It checks the manifest once more, because what lies on the
//! boot medium is not to be trusted. What happens to a service, the supervisor decides; init does what it asks ([`Keeper`]), and holds
//! on its behalf every process and every endpoint. So a supervisor can die at any time, and the next one finds all as it was: init sees to
//! that, and to nothing else. It parses nothing that a service wrote and waits for none of them: it survives whatever they do.
//!
//! [`Keeper`]: rt::generated::KeeperClient
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod demand;
mod guard;
mod instances;
mod keeper;
mod kernel;
mod plan;
mod starter;
mod startup;
mod state;

use alloc::rc::Rc;
use capos_manifest::Iommu;
use kit::service::serve;
use rt::generated::TimerClient;
use rt::serve::Receiver;
use rt::{Cap, Env, block_on, log, spawn};
use state::State;

/// Receives outstanding at the endpoint that the supervisor calls.
const RECEIVES: usize = 2;

/// Starts the system of the manifest and keeps it up. Comes back only when init lacks what it needs, with the exit code.
pub fn run(env: Env) -> i64 {
    let kernel = match kernel::Kernel::take(env) {
        Ok(kernel) => kernel,
        Err(error) => {
            log::error(format_args!("{error}"));
            return 1;
        }
    };
    block_on(start(kernel))
}

/// Does not return as long as the system is sound: the kernel takes init's end for its own.
async fn start(kernel: kernel::Kernel) -> i64 {
    let plan = match plan::load(&kernel).await {
        Ok(plan) => plan,
        Err(refusal) => {
            for line in refusal.lines() {
                log::error(format_args!("{line}"));
            }
            log::error(format_args!("the manifest is refused; nothing was started"));
            return idle(&kernel.timer).await;
        }
    };
    log::info(format_args!("system `{}`, {} services", plan.manifest.name, plan.manifest.services.len()));
    if plan.manifest.iommu == Iommu::Required
        && let Err(error) = demand::iommu(&kernel).await
    {
        log::error(format_args!("the manifest demands an IOMMU: {error}; nothing was started"));
        return idle(&kernel.timer).await;
    }
    let state = match State::new(kernel, plan).await {
        Ok(state) => Rc::new(state),
        Err(error) => {
            log::error(format_args!("endpoints: {error}"));
            return 1;
        }
    };
    spawn(guard::guard(Rc::clone(&state)));
    let receiver = Receiver::new(Cap::from_id(state.keeper.cap().id()), RECEIVES);
    let error = serve(receiver, Rc::new(keeper::Keeper::new(Rc::clone(&state)))).await;
    log::error(format_args!("receive: {error}"));
    // Services go on, unsupervised.
    idle(&state.kernel.timer).await
}

/// Waits for ever, as long as the kernel can still set an alarm.
async fn idle(timer: &TimerClient) -> i64 {
    while timer.sleep_until(u64::MAX).await.is_ok() {}
    1
}
