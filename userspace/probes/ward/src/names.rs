//! Clients that outlive those they call, and capabilities after the start.

use crate::{Ward, answer};
use alloc::rc::Rc;
use rt::generated::ByteStreamClient;
use rt::schema::services::ServiceState;
use rt::{CallError, ExceptionCode, Named, TransportError};

/// By name, across restarts and beyond the end.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let facet = ward.patient()?;
    let named: Named<ByteStreamClient> = Named::new(Rc::clone(&ward.names), "patient");
    let read = async |client: &ByteStreamClient| client.read(64).await;
    ward.equal("a name leads to who serves", named.call(read).await.map(|bytes| answer(&bytes)[0]), Ok(1));
    ward.equal("and says which it is", named.epoch(), 1);
    let fail = async |client: &ByteStreamClient| client.write(b"fail").await;
    ward.report.fails(
        "what was in hand is lost, in one word",
        named.call(fail).await,
        TransportError::Disconnected,
    );
    let again = named.call(read).await;
    ward.equal("the next call finds the next instance", again.map(|bytes| answer(&bytes)[0]), Ok(2));
    ward.equal("and the epoch has grown", named.epoch(), 2);
    let other = ward.names.resolve(0, "services").await;
    ward.report.fails("the supervisor itself is no name", other.map(drop), ExceptionCode::NotFound);
    let other = ward.names.resolve(0, "p-secret").await;
    ward.report.fails("nor what the manifest does not give us", other.map(drop), ExceptionCode::NotFound);

    // Its limit is one restart.
    ward.suffer(&facet, "fail").await;
    ward.is("it is given up", "patient", ServiceState::Failed).await?;
    ward.report.fails("a facet of who is given up", facet.read(64).await, TransportError::Disconnected);
    ward.report.fails("its name", named.call_again(read).await, ExceptionCode::Disconnected);
    ward.services.start("patient").await?;
    ward.runs("a person starts it again", "patient", 3).await?;
    ward.report.fails("the facet of old stays dead", facet.read(64).await, TransportError::Disconnected);
    let found = named.call_again(read).await.map(|bytes| answer(&bytes)[0]);
    ward.equal("the name leads to who serves now", found, Ok(3));
    granted(ward, &named).await
}

/// A capability after the start.
async fn granted(ward: &Ward, named: &Named<ByteStreamClient>) -> Result<(), CallError> {
    let plain = ward.find("plain").await?;
    let grant = |to, name| ward.services.grant(plain.cap(), to, name);
    ward.report.works("a running service is given a capability", grant("patient", "more").await);
    let read = async |client: &ByteStreamClient| client.read(64).await;
    let told = named.call(read).await.map(|bytes| answer(&bytes));
    ward.equal("it has it, from a person", told, Ok([3, 1, 0]));
    let used = named.call(async |client: &ByteStreamClient| client.write(b"use").await).await;
    ward.report.works("and can call it", used);
    ward.report.fails(
        "what it has no use for",
        grant("patient", "useless").await,
        ExceptionCode::Unsupported,
    );
    ward.report.fails("who does not listen", grant("p-plain", "more").await, ExceptionCode::WrongState);
    ward.report.fails("nobody", grant("nobody", "more").await, ExceptionCode::NotFound);
    Ok(())
}
