//! `cargo run -p web [PORT [plain|bare|troubled]]`: the page at 127.0.0.1, until it is ended.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use web::{Machine, Mood, TOKEN, serve};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let port = words.next().map_or(Ok(8080), |word| word.parse::<u16>());
    let mood = match words.next().as_deref() {
        None | Some("plain") => Some(Mood::Plain),
        Some("bare") => Some(Mood::Bare),
        Some("troubled") => Some(Mood::Troubled),
        Some(_) => None,
    };
    let (Ok(port), Some(mood)) = (port, mood) else {
        eprintln!("usage: web [PORT [plain|bare|troubled]]");
        return ExitCode::from(2);
    };
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => {
            println!("http://localhost:{port}/, operator's token {TOKEN}");
            serve(&listener, &Arc::new(Machine::new(mood)));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("web: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}
