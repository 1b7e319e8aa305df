//! Promises that are not kept.

use crate::Ward;
use rt::schema::services::{ServiceHealth, ServiceState};
use rt::{CallError, ExceptionCode, TransportError};

/// Each way to be ill, and a neighbour that is well.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let neighbour = ward.runs("the neighbour runs", "p-well", 1).await?;
    let patient = ward.patient()?;
    ward.runs("the patient runs", "patient", 1).await?;
    ward.report.fails(
        "a call that it hangs over ends",
        patient.write(b"hang").await,
        TransportError::Disconnected,
    );
    ward.runs("who does not answer is killed and started again", "patient", 2).await?;
    let line = ward.service("patient").await?;
    ward.equal("that was one restart", (line.restarts, line.last_end.as_str()), (1, "was killed"));
    ward.report.works("it can be told to be unwell", patient.write(b"unwell").await);
    ward.runs("who says that it is not well is killed and started again", "patient", 3).await?;
    ward.report.works("the new one serves the same facet", patient.read(64).await);
    for name in ["p-never-ready", "p-refuses"] {
        let failed = ward.is("who does not become ready is given up", name, ServiceState::Failed).await?;
        ward.equal("after as many restarts as may be", failed.restarts, 1);
    }
    let found = ward.names.resolve(0, "never_ready").await;
    ward.report.fails("nobody finds it any more", found.map(drop), ExceptionCode::Disconnected);
    let now = ward.service("p-well").await?;
    let as_before = (now.process, now.epoch, now.restarts) == (neighbour.process, 1, 0);
    ward.report.check("the neighbour was not disturbed", as_before, now.process);
    ward.equal("it is asked, and well", now.health != ServiceHealth::Unasked, true);
    let unasked = ward.service("testport").await?;
    ward.equal("who promised nothing is not asked", unasked.health, ServiceHealth::Unasked);
    Ok(())
}
