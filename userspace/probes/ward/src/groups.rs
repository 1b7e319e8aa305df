//! Services that need each other.

use crate::{MS, Ward, answer};
use rt::CallError;
use rt::schema::services::ServiceState;

/// `p-root` dies at each start and takes those who need it along, once; `p-beside` needs nobody.
pub async fn escalation(ward: &Ward) -> Result<(), CallError> {
    ward.runs("who needs it runs", "p-leaf", 1).await?;
    ward.services.start("p-root").await?;
    ward.runs("who needs it is started anew when it is given up", "p-leaf", 2).await?;
    let root = ward.is("it is given up at last", "p-root", ServiceState::Failed).await?;
    // One restart each of the two lives that the limit allows, and the one of its group.
    ward.equal("its limit was granted twice", root.restarts >= 2, true);
    ward.pause(1500).await?;
    ward.runs("who needs it stays", "p-leaf", 2).await?;
    ward.runs("who needs nobody is not disturbed", "p-beside", 1).await.map(drop)
}

/// `p-base` takes 300 ms to be ready, `p-mid` needs it and is told, `p-top` needs it and is restarted with it. The manifest has them the
/// other way round.
pub async fn order(ward: &Ward) -> Result<(), CallError> {
    let mid = ward.runs("the second runs", "p-mid", 1).await?;
    let base = ward.runs("the first runs", "p-base", 1).await?;
    let top = ward.runs("the third runs", "p-top", 1).await?;
    let in_order = base.process < mid.process && base.process < top.process;
    ward.report.check("the kernel made them in the order of their needs", in_order, base.process);
    let later = base.uptime_ns.saturating_sub(mid.uptime_ns);
    ward.report.check("who needs another started when that was ready", later + 10 * MS >= 300 * MS, later);
    let at_mid = ward.find("mid").await?;
    ward.equal("nobody was told anything at first", answer(&at_mid.read(64).await?), [1, 0, 0]);
    ward.services.kill("p-base").await?;
    ward.runs("the first is started again", "p-base", 2).await?;
    ward.runs("who wants to be restarted with it was", "p-top", 2).await?;
    let mut told = answer(&at_mid.read(64).await?);
    for _ in 0..1000 {
        if told[1] > 0 {
            break;
        }
        ward.pause(2).await?;
        told = answer(&at_mid.read(64).await?);
    }
    ward.equal("who wants to be told was, with the new epoch", told, [1, 1, 2]);
    ward.report.works("and what it was given can be called", at_mid.write(b"use").await);
    let mid = ward.runs("it was not restarted for that", "p-mid", 1).await?;
    ward.equal("and is well", mid.restarts, 0);
    Ok(())
}
