//! One connection: what the core wants done, with a socket.

use crate::site::Site;
use alloc::vec::Vec;
use capos_web::{Connection, Limits};
use rt::generated::TcpSocketClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;
use rt::{CallError, ExceptionCode, TransportError, with_deadline};

/// Bytes of the memory that a connection shares with the stack: first what comes, then what goes. Through messages a thread could not wait for more than a dozen
/// connections at a time: each needs room for the largest answer.
const IN: u64 = 8 * 1024;
const OUT: u64 = 24 * 1024;

/// What was done.
enum Did {
    Sent(usize),
    Received(Vec<u8>),
}

/// Answers until one side has enough.
pub async fn talk(site: &Site, socket: &TcpSocketClient, limits: Limits) {
    // Without a clock, or with a socket that is broken, there is nobody to talk to.
    let _ = converse(site, socket, limits).await;
}

async fn converse(site: &Site, socket: &TcpSocketClient, limits: Limits) -> Result<(), CallError> {
    let room = shared(socket).await?;
    let mut now = site.now().await?;
    let mut connection = Connection::new(limits, now);
    let mut is_shut = false;
    loop {
        while let Some(request) = connection.request(now) {
            let response = site.answer(&request).await;
            now = site.now().await?;
            connection.respond(response, now);
        }
        if connection.is_over() {
            return Ok(());
        }
        if connection.is_silent() && !is_shut {
            is_shut = true;
            socket.shutdown().await?;
        }
        let deadline = connection.deadline().unwrap_or(u64::MAX);
        let done = with_deadline(deadline, next(&connection, socket, &room)).await;
        now = site.now().await?;
        match done {
            Ok(Did::Sent(count)) => connection.sent(count, now),
            Ok(Did::Received(bytes)) => {
                connection.receive(&bytes);
            }
            Err(error) if error.exception() == Some(ExceptionCode::EndOfStream) => connection.end(),
            Err(CallError::Transport(TransportError::TimedOut)) => connection.on_time(now),
            Err(error) => return Err(error),
        }
    }
}

/// Memory that the stack reads and writes.
async fn shared(socket: &TcpSocketClient) -> Result<Region, CallError> {
    let object = memory().create_object(IN + OUT).await?;
    let room = Region::map(&object, 0, IN + OUT, Protection::ReadWrite)?;
    socket.attach(object).await?;
    Ok(room)
}

/// Sends what is to be sent, or else hears what comes.
async fn next(connection: &Connection, socket: &TcpSocketClient, room: &Region) -> Result<Did, CallError> {
    // What lies outside of memory that is ours would be the stack's lie.
    let lie = || CallError::Exception(ExceptionCode::Failed.into());
    let output = connection.output();
    if output.is_empty() {
        let most = connection.room().clamp(1, IN as usize) as u32;
        let count = socket.read_into(0, most).await?.min(most);
        return room.bytes(0, count as usize).map(Did::Received).ok_or_else(lie);
    }
    let chunk = output.get(..OUT as usize).unwrap_or(output);
    if !room.write(IN, chunk) {
        return Err(lie());
    }
    socket.write_from(IN, chunk.len() as u32).await?;
    Ok(Did::Sent(chunk.len()))
}
