//! A service gets another program while its clients call.

use crate::supervisor::{Load, call};
use crate::{Ward, answer};
use alloc::rc::Rc;
use probe::Fields;
use rt::{CallError, ExceptionCode, spawn};

/// Clients that call all the while.
const CLIENTS: usize = 3;
/// Replacements.
const TIMES: u32 = 5;
/// The instance after that: one number was for the program that ended at once.
const AFTER: u32 = TIMES + 3;

/// Replacements lose nothing, and a kill only what the one that died had in hand.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let patient = ward.patient()?;
    ward.runs("the patient runs", "patient", 1).await?;
    let load = Rc::new(Load::default());
    for _ in 0..CLIENTS {
        spawn(call(Rc::clone(&load), Rc::clone(&patient)));
    }
    for epoch in 2..=TIMES + 1 {
        let old = ward.service("patient").await?.process;
        let became = ward.services.replace("patient", "probe-patient").await;
        ward.equal("it is replaced", became, Ok(epoch));
        ward.runs("by one that runs", "patient", epoch).await?;
        let begin = ward.timer.now().await?;
        while !ward.kernel_name(old).is_empty() && ward.timer.now().await? - begin < crate::PATIENCE_NS {
            ward.pause(2).await?;
        }
        ward.equal("the one before has gone", ward.kernel_name(old).as_str(), "");
    }
    ward.pause(100).await?;
    ward.equal("clients are answered by the latest", load.epoch.get(), TIMES + 1);
    let fields = Fields::new().value("times", TIMES).value("calls", load.calls.get());
    ward.report.event("patient.replaced", fields.value("failed", load.failed.get()));

    failures(ward, &load).await?;
    let before = load.failed.get();
    ward.services.kill("patient").await?;
    ward.runs("after a kill it runs again, as what it was replaced by", "patient", AFTER).await?;
    ward.pause(100).await?;
    let lost = load.failed.get() - before;
    let fields = Fields::new().value("lost", lost).value("strange", load.strange.get());
    ward.report.event("patient.killed", fields);
    ward.report.check("only what was in hand is lost", lost <= CLIENTS as u64, lost);
    ward.equal("and clients go on with the same facet", answer(&patient.read(64).await?)[0], AFTER);
    Ok(())
}

/// What cannot be started, does not become ready, or is no service, changes nothing.
async fn failures(ward: &Ward, load: &Load) -> Result<(), CallError> {
    let before = (ward.service("patient").await?.process, load.failed.get());
    let replace = |name, program| ward.services.replace(name, program);
    ward.report.fails("by a text", replace("patient", "welcome").await, ExceptionCode::Failed);
    ward.report.fails("by nothing", replace("patient", "no-such-file").await, ExceptionCode::Failed);
    ward.report.fails(
        "by a program that ends at once",
        replace("patient", "probe-spawn").await,
        ExceptionCode::Failed,
    );
    ward.report.fails("nobody", replace("nobody", "probe-patient").await, ExceptionCode::NotFound);
    ward.report.fails(
        "one that does not run",
        replace("p-idle", "probe-patient").await,
        ExceptionCode::WrongState,
    );
    ward.pause(50).await?;
    let after = (ward.service("patient").await?.process, load.failed.get());
    ward.equal("the one that serves is not disturbed", after, before);
    Ok(())
}
