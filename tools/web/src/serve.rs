//! Sockets of the host.

use crate::machine::Machine;
use capos_web::{Connection, Guard, Limits, Request, Response, Status, Token};
use httpd::{Asked, Rows, asked, numbers};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Who knows it may end and start services: nothing but numbers in a test.
pub const TOKEN: &str = "only-to-look-at-it";

/// Serves whoever comes, a thread each, until the listener fails.
pub fn serve(listener: &TcpListener, machine: &Arc<Machine>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        let machine = Arc::clone(machine);
        thread::spawn(move || {
            // A peer that goes in the middle is no matter.
            let _ = talk(stream, &machine);
        });
    }
}

fn talk(mut stream: TcpStream, machine: &Machine) -> std::io::Result<()> {
    let guard = Guard::new(Vec::new(), Token::new(TOKEN).ok());
    let begun = Instant::now();
    let now = || u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut connection = Connection::new(Limits::default(), now());
    let mut buffer = [0; 8192];
    let mut shut = false;
    while !connection.is_over() {
        while let Some(request) = connection.request(now()) {
            connection.respond(answer(&guard, machine, &request).at(unix_s()), now());
        }
        if !connection.output().is_empty() {
            let count = stream.write(connection.output())?;
            connection.sent(count, now());
            continue;
        }
        if connection.is_silent() && !shut {
            stream.shutdown(Shutdown::Write)?;
            shut = true;
        }
        let left = connection.deadline().map_or(u64::MAX, |at| at.saturating_sub(now())).max(1_000_000);
        stream.set_read_timeout(Some(Duration::from_nanos(left.min(3_600_000_000_000))))?;
        let room = connection.room().min(buffer.len());
        match stream.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => connection.end(),
            Ok(count) => {
                connection.receive(buffer.get(..count).unwrap_or_default());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                connection.on_time(now());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn answer(guard: &Guard, machine: &Machine, request: &Request) -> Response {
    match asked(guard, request) {
        Asked::Answer(response) => response,
        Asked::Metrics => numbers(machine.metrics()),
        Asked::Reports(reports) => {
            let mut rows = Rows::default();
            for report in reports {
                let told = machine.report(report.name, report.count);
                rows.add(report.name, told.as_deref().map_err(String::as_str));
            }
            rows.answer()
        }
        Asked::Act(act, service) if machine.act(act, &service) => Response::text(Status::Ok, "done"),
        Asked::Act(..) => Response::text(Status::NotFound, "there is no such service"),
    }
}
