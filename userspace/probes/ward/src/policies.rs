//! Restart policies, waits and limits.

use crate::Ward;
use rt::schema::services::ServiceState;
use rt::{CallError, TransportError};

/// Each policy against each end.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let mut epoch = 1;
    let always = ward.find("always").await?;
    for end in ["leave", "fail", "fault"] {
        ward.suffer(&always, end).await;
        epoch += 1;
        ward.runs(&alloc::format!("always: started again after `{end}`"), "p-always", epoch).await?;
    }
    ward.services.kill("p-always").await?;
    ward.runs("always: started again after a kill", "p-always", epoch + 1).await?;

    let failure = ward.find("failure").await?;
    for (n, end) in (2..).zip(["fail", "fault"]) {
        ward.suffer(&failure, end).await;
        ward.runs(&alloc::format!("onFailure: started again after `{end}`"), "p-failure", n).await?;
    }
    ward.suffer(&failure, "leave").await;
    ward.is("onFailure: left ended after a good end", "p-failure", ServiceState::Ended).await?;
    let call = failure.read(64).await;
    ward.report.fails("onFailure: calls end when it has ended for good", call, TransportError::Disconnected);
    ward.services.start("p-failure").await?;
    ward.runs("onFailure: a person starts it again", "p-failure", 4).await?;
    ward.services.kill("p-failure").await?;
    ward.is("onFailure: left ended after a kill", "p-failure", ServiceState::Killed).await?;

    let never = ward.find("never").await?;
    ward.suffer(&never, "fail").await;
    let ended = ward.is("never: left ended after a failure", "p-never", ServiceState::Ended).await?;
    ward.equal("how it ended is told", ended.last_end.as_str(), "exited with 3");
    ward.equal("and with which code", ended.exit_code, 3);
    // Whatever waits to happen has happened by then.
    ward.pause(2000).await?;
    ward.is("never: still ended after a while", "p-never", ServiceState::Ended).await?;
    ward.runs("the others are as they were", "p-always", epoch + 1).await.map(drop)
}

/// A service that dies at once, with three restarts and waits of at least 50, 100 and 150 ms.
pub async fn limits(ward: &Ward) -> Result<(), CallError> {
    for turn in 1..=2 {
        let begin = ward.timer.now().await?;
        ward.services.start("p-dies").await?;
        let failed = ward.is("it is given up", "p-dies", ServiceState::Failed).await?;
        ward.equal("after as many restarts as may be", failed.restarts, 3 * turn);
        let took = ward.timer.now().await? - begin;
        // Never less than the waits: timers do not fire early. How much more depends on the machine.
        ward.report.check("it waited longer each time, up to the longest wait", took >= 300_000_000, took);
        ward.equal("how it ended is told", failed.last_end.as_str(), "exited with 1");
        ward.pause(1000).await?;
        let later = ward.service("p-dies").await?;
        ward.equal(
            "nothing is tried after that",
            (later.state, later.restarts),
            (ServiceState::Failed, 3 * turn),
        );
    }
    let spared = ward.runs("a service beside it is not disturbed", "p-spared", 1).await?;
    ward.equal("nor restarted", spared.restarts, 0);
    Ok(())
}
