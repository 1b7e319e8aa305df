//! What a client may do with less than a disk, and what it is told when it asks for what it may not.

use crate::pages::Pages;
use alloc::rc::Rc;
use capos_block::{Operation, Request, Status};
use kit::block::{Client, IoError};
use probe::Report;
use rt::generated::BlockDeviceClient;
use rt::{CallError, ExceptionCode};

/// Entries of these sessions, and bytes of their memory.
const DEPTH: u16 = 4;
const BYTES: u64 = 4096;

fn request(operation: Operation, first: u64, sectors: u32) -> Request {
    Request { id: 0, operation, durable: false, buffer: 0, offset: 0, first, sectors }
}

/// One session, and what its requests answer.
struct Session {
    client: Rc<Client>,
    pages: Pages,
}

impl Session {
    async fn new(device: &Rc<BlockDeviceClient>) -> Result<Session, CallError> {
        let client = Client::open(Rc::clone(device), DEPTH).await?;
        let pages = Pages::new(&client, BYTES).await?;
        Ok(Session { client, pages })
    }

    async fn ask(&self, asked: Request) -> Status {
        match self.client.perform(Request { buffer: asked.buffer + self.pages.number, ..asked }).await {
            Ok(()) => Status::Done,
            Err(IoError::Failed(status, _)) => status,
            Err(IoError::Ended(_)) => Status::Gone,
        }
    }
}

/// Looks at facets of a disk.
pub async fn look(report: &Report, disk: &Rc<BlockDeviceClient>) -> Result<(), CallError> {
    let whole = Session::new(disk).await?;
    let geometry = whole.client.geometry();
    let (middle, end) = (geometry.sectors / 2, geometry.sectors);
    whole.ask(request(Operation::Read, middle, 1)).await;
    let word = whole.pages.word(0);

    let part = Session::new(&Rc::new(disk.part(middle, 2).await?)).await?;
    report.equal("a part has its sectors", part.client.geometry().sectors, 2);
    report.equal("a part is read", part.ask(request(Operation::Read, 0, 1)).await, Status::Done);
    report.equal("a part's first sector is the disk's", part.pages.word(0), word);
    let beyond = part.ask(request(Operation::Read, 1, 2)).await;
    report.equal("a part has an end", beyond, Status::OutOfRange);
    report.fails("no part is beyond the disk", disk.part(end - 1, 2).await, ExceptionCode::InvalidArgument);
    report.fails("no part wraps", disk.part(u64::MAX, 2).await, ExceptionCode::InvalidArgument);

    let closed = Session::new(&Rc::new(disk.read_only().await?)).await?;
    let read = closed.ask(request(Operation::Read, middle, 1)).await;
    report.equal("what may only be read is read", read, Status::Done);
    for operation in [Operation::Write, Operation::Zero, Operation::Discard] {
        let refused = closed.ask(request(operation, middle, 1)).await;
        report.equal("what may only be read is not changed", refused, Status::ReadOnly);
    }
    wrong(report, &whole, end).await;
    Ok(())
}

/// Requests that are none.
async fn wrong(report: &Report, whole: &Session, end: u64) {
    let read = request(Operation::Read, 0, 1);
    let cases = [
        ("beyond the end", Request { first: end, ..read }, Status::OutOfRange),
        ("sectors that wrap", Request { first: u64::MAX, sectors: 2, ..read }, Status::OutOfRange),
        ("no sectors", Request { sectors: 0, ..read }, Status::Invalid),
        ("more sectors than memory", Request { sectors: 9, ..read }, Status::Invalid),
        ("memory that there is not", Request { buffer: 7, ..read }, Status::Invalid),
        ("memory beyond the end", Request { offset: 4096, ..read }, Status::Invalid),
        ("the middle of a sector", Request { offset: 8, ..read }, Status::Invalid),
    ];
    for (name, asked, wanted) in cases {
        report.equal(name, whole.ask(asked).await, wanted);
    }
    report.equal("and then all is well", whole.ask(read).await, Status::Done);
}
