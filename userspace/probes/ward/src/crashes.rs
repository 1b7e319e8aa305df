//! Crash records: of the last four faults, also when the supervisor that kept them is dead.

use crate::Ward;
use rt::{CallError, ExceptionCode};

/// Word of the record, behind version, epoch, process and time; see `capos_restart::Crash`.
fn word(record: &[u8], n: usize) -> u64 {
    record.as_chunks::<8>().0.get(n).map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes))
}

/// Six faults.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let patient = ward.patient()?;
    let none = ward.services.crash(0, "patient").await;
    ward.report.fails("who never crashed has no record", none, ExceptionCode::NotFound);
    for epoch in 1..=6 {
        let line = ward.runs("the patient runs", "patient", epoch).await?;
        ward.suffer(&patient, "fault").await;
        ward.runs("and again after a fault", "patient", epoch + 1).await?;
        let crash = ward.services.crash(0, "patient").await?;
        ward.equal(
            "the record tells which instance it was",
            (crash.epoch, crash.process),
            (epoch, line.process),
        );
        ward.equal("and which program", crash.program.as_str(), "probe-patient");
        ward.equal("a page fault", word(&crash.record, 4), 14);
        ward.equal("about address 0", word(&crash.record, 6), 0);
        ward.equal("at an instruction of the program", word(&crash.record, 8) > 0x1000, true);
        ward.equal("with return addresses", crash.record.len() > 8 * 32, true);
    }
    if let Err(error) = ward.services.kill("supervisor").await
        && !error.is_disconnect()
    {
        return Err(error);
    }
    for index in 0..4 {
        let crash = loop {
            match ward.services.crash(index, "patient").await {
                Err(error) if error.is_disconnect() => {}
                result => break result?,
            }
        };
        ward.equal("the last four outlive the supervisor, latest first", crash.epoch, 6 - index);
    }
    let older = ward.services.crash(4, "patient").await;
    ward.report.fails("older ones are forgotten", older, ExceptionCode::NotFound);
    let nobody = ward.services.crash(0, "nobody").await;
    ward.report.fails("nobody left nothing", nobody, ExceptionCode::NotFound);
    Ok(())
}
