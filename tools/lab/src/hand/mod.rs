//! Machines by hand: started, looked at and ended by verbs, and held where a case failed.

mod state;
pub mod terminal;
mod verbs;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::machine::args::Wiring;
use crate::machine::guest::{Guest, Signal};

pub use verbs::{Hand, Patience};

/// A TCP port on the loopback address that nobody uses now.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Shows why a case failed and hands its machine to the person at the terminal, until they leave it.
pub fn hold(guest: Option<&mut Guest>, wiring: &Wiring, reasons: &[String]) {
    eprintln!("\n{}\n", reasons.join("\n"));
    let Some(guest) = guest else {
        eprintln!("the machine has left; nothing to hold");
        return;
    };
    if let Some(port) = wiring.gdb {
        // The stub's port is where the machine is.
        let enter: String = wiring.enter.iter().map(|word| format!("{word} ")).collect();
        eprintln!(
            "held: `{enter}cargo cap gdb --port {port}` in another terminal attaches a debugger   (QEMU is process {})",
            guest.id()
        );
    }
    let result = terminal::attach(|typed| {
        if !typed.is_empty() {
            guest.send(typed)?;
        }
        match guest.signal(Duration::from_millis(20)) {
            Signal::Serial(bytes) => Ok(Some(bytes)),
            Signal::Gone => Ok(None),
            _ => Ok(Some(Vec::new())),
        }
    });
    if let Err(error) = result {
        eprintln!("terminal: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_free() {
        // Somebody else may take one in between, but hardly each of three.
        let is_free = || TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).is_ok();
        assert!((0..3).any(|_| is_free()));
    }
}
