//! The supervisor dies, again and again.

use crate::{Ward, answer};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use probe::Fields;
use rt::{CallError, spawn};

/// Deaths.
const DEATHS: u32 = 20;

const OTHERS: [&str; 4] = ["patient", "p-plain", "testport", "probe-ward"];

/// Under load: a client calls all the while.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let patient = ward.patient()?;
    ward.runs("the patient runs", "patient", 1).await?;
    let before = processes(ward).await?;
    let load = Rc::new(Load::default());
    spawn(call(Rc::clone(&load), Rc::clone(&patient)));
    for death in 1..=DEATHS {
        let old = ward.service("supervisor").await?.process;
        kill(ward).await?;
        let next = ward.until("supervisor", |it| it.process != old && it.process != 0).await?;
        ward.equal("another supervisor is there", (next.epoch, next.restarts), (death + 1, death));
        ward.equal("the kernel knows it", ward.kernel_name(next.process), String::from("supervisor"));
        ward.equal("and the old one no more", ward.kernel_name(old), String::new());
        ward.equal("who runs, runs on", processes(ward).await?, before.clone());
    }
    load.over.set(true);
    while !load.ended.get() {
        ward.pause(2).await?;
    }
    let fields = Fields::new().value("deaths", DEATHS).value("calls", load.calls.get());
    ward.report.event("supervisor.died", fields.value("failed", load.failed.get()));
    a_service_dies_meanwhile(ward).await
}

/// The supervisor is killed and the service dies before there is another one.
async fn a_service_dies_meanwhile(ward: &Ward) -> Result<(), CallError> {
    let patient = ward.patient()?;
    for epoch in 2..=6 {
        kill(ward).await?;
        ward.suffer(&patient, "fail").await;
        ward.runs("who died while nobody looked is started again", "patient", epoch).await?;
    }
    let line = ward.service("patient").await?;
    ward.equal("each end was counted once", line.restarts, 5);
    ward.equal("the client's facet is as good as ever", answer(&patient.read(64).await?), [6, 0, 0]);
    Ok(())
}

/// It may die before its answer is there.
async fn kill(ward: &Ward) -> Result<(), CallError> {
    match ward.services.kill("supervisor").await {
        Err(error) if !error.is_disconnect() => Err(error),
        _ => Ok(()),
    }
}

/// Which processes the services are, by the supervisor's word and by the kernel's.
async fn processes(ward: &Ward) -> Result<Vec<(u64, u32, u32, String)>, CallError> {
    let mut all = Vec::new();
    for name in OTHERS {
        let service = ward.until(name, |it| it.process != 0).await?;
        let by_kernel = ward.kernel_name(service.process);
        all.push((service.process, service.epoch, service.restarts, by_kernel));
    }
    Ok(all)
}

/// Calls that go on.
#[derive(Default)]
pub struct Load {
    pub calls: Cell<u64>,
    pub failed: Cell<u64>,
    /// Failed otherwise than with `disconnected`.
    pub strange: Cell<u64>,
    /// The latest instance that answered.
    pub epoch: Cell<u32>,
    pub over: Cell<bool>,
    pub ended: Cell<bool>,
}

/// Calls again and again until it is over.
pub async fn call(load: Rc<Load>, patient: Rc<rt::generated::ByteStreamClient>) {
    while !load.over.get() {
        match patient.read(64).await {
            Ok(bytes) => load.epoch.set(load.epoch.get().max(answer(&bytes)[0])),
            Err(error) => {
                load.failed.set(load.failed.get() + 1);
                load.strange.set(load.strange.get() + u64::from(!error.is_disconnect()));
            }
        }
        load.calls.set(load.calls.get() + 1);
    }
    load.ended.set(true);
}
