//! What a client must not: it is told so, and nobody else hears of it.

use crate::line::Line;
use alloc::format;
use capos_nic::{Checksum, Operation, Request, Segments, Status};
use kit::nic::Session;
use probe::Report;
use rt::generated::NicClient;
use rt::schema::nic::InfoResults;
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

/// Bytes of the line's memory at least.
const MEMORY: u32 = 256 * 2048;

/// All of it, in a session of its own.
pub async fn try_all(report: &Report, nic: &NicClient, info: &InfoResults) -> Result<(), CallError> {
    let line = Line::open(nic, info).await?;
    let (session, buffer) = line.session();
    let second = Session::open(nic, 16).await.err().and_then(|error| error.exception());
    report.equal("a second session", second, Some(ExceptionCode::WrongState));
    for (name, entries) in [("none", 0), ("one", 1), ("no power of two", 48), ("many", 2048)] {
        let refused = nic.open(memory().create_object(1 << 20).await?, bell()?, entries).await.err();
        let refused = refused.and_then(|error| error.exception());
        let known = [Some(ExceptionCode::InvalidArgument), Some(ExceptionCode::WrongState)];
        report.check(
            &format!("a session of {name} entries"),
            known.contains(&refused),
            format!("{refused:?}"),
        );
    }
    // By these the device has what was armed before.
    requests(report, session, buffer).await?;
    attachments(report, session, buffer).await
}

fn bell() -> Result<rt::generated::SignallerClient, CallError> {
    kit::queue::Bell::new().map(kit::queue::Bell::into_signaller)
}

async fn attachments(report: &Report, session: &Session, buffer: u16) -> Result<(), CallError> {
    let control = session.control();
    let refused = |error: CallError| error.exception();
    let in_use = control.detach(buffer).await.err().and_then(refused);
    report.equal("memory in use", in_use, Some(ExceptionCode::WrongState));
    let none = control.detach(77).await.err().and_then(refused);
    report.equal("memory that there is not", none, Some(ExceptionCode::NotFound));
    let plain = control.attach(&memory().create_object(4096).await?).await.err().and_then(refused);
    report.check("memory for no device", plain.is_some(), format!("{plain:?}"));
    let object = memory().create_dma_object(4096, 32).await?;
    let mut numbers = alloc::vec::Vec::new();
    let full = loop {
        match control.attach(&object).await {
            Ok(number) if numbers.len() < 100 => numbers.push(number),
            Ok(_) => break None,
            Err(error) => break error.exception(),
        }
    };
    report.equal("memory without end", full, Some(ExceptionCode::BudgetExhausted));
    for number in numbers {
        control.detach(number).await?;
    }
    Ok(())
}

async fn requests(report: &Report, session: &Session, buffer: u16) -> Result<(), CallError> {
    let send = |offset, length| Request {
        id: 1_000,
        operation: Operation::Send,
        buffer,
        offset,
        length,
        checksum: None,
        segments: None,
    };
    let checksum = Some(Checksum { start: 1_500, offset: 100 });
    let segments = Some(Segments { size: 1, headers: 0, is_v6: false });
    let cases = [
        ("no frame", send(0, 13)),
        ("a frame too long", send(0, 1_600)),
        ("a frame behind the end", send(MEMORY * 4, 60)),
        ("a frame across the end", send(u32::MAX - 30, 60)),
        ("a frame of no memory", Request { buffer: 99, ..send(0, 60) }),
        ("a checksum beyond its frame", Request { checksum, ..send(0, 60) }),
        ("segments of nothing", Request { checksum, segments, ..send(0, 60) }),
        ("a buffer too small", Request { operation: Operation::Receive, ..send(0, 64) }),
        ("a buffer askew", Request { operation: Operation::Receive, ..send(8, 2_048) }),
    ];
    for (name, request) in cases {
        let status = outcome(session, &request.encode()).await;
        let is_refused = matches!(status, Some(Status::Invalid | Status::Unsupported));
        report.check(name, is_refused, format!("{status:?}"));
    }
    let status = outcome(session, &[1_000 | 9 << 32, 0, 0, 0, 0, 0, 0, 0]).await;
    report.equal("an operation that there is not", status, Some(Status::Unsupported));
    Ok(())
}

/// What becomes of an entry of ours.
async fn outcome(session: &Session, entry: &[u64; 8]) -> Option<Status> {
    session.push(entry).ok().filter(|pushed| *pushed)?;
    loop {
        match session.over().ok()? {
            Some(over) if over.id == 1_000 => return Some(over.status),
            Some(_) => {}
            None => {
                session.wait().await.ok().filter(|is_there| *is_there)?;
            }
        }
    }
}
