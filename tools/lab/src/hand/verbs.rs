//! `up console assert reboot down prune cycle`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use regex::Regex;

use super::state::State;
use super::{free_port, terminal};
use crate::artefacts;
use crate::canary;
use crate::case::Action;
use crate::disk;
use crate::machine::args::{Role, Wiring, args};
use crate::machine::entropy;
use crate::machine::{accel, firmware, monitor, qemu};
use crate::matrix::SubCase;
use crate::run::{Kitchen, Unready};
use crate::session::Plain;
use crate::wire::yard;

/// How long `assert` and `up` wait.
pub type Patience = Duration;

/// The verbs, over `target/lab`.
pub struct Hand {
    lab: PathBuf,
    folder: PathBuf,
}

impl Hand {
    /// Over this `target/lab`.
    pub fn new(lab: &Path) -> Hand {
        Hand { lab: lab.to_owned(), folder: lab.join("hand") }
    }

    /// Starts the machine of a sub-case and leaves it running.
    pub fn up(&self, sub: &SubCase, kitchen: &dyn Kitchen) -> Result<String, String> {
        if let Some(state) = State::read(&self.folder) {
            return Err(format!("{} is up already (process {}); `down` ends it", state.case, state.pid));
        }
        let failed = |error: io::Error| error.to_string();
        // What an earlier machine left; the sockets must be gone before QEMU makes them.
        let _ = fs::remove_dir_all(&self.folder);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let sockets = std::env::temp_dir().join(format!("capos-hand-{}", std::process::id()));
        fs::create_dir_all(&sockets).map_err(failed)?;
        let wiring = Wiring {
            role: Role::Detached,
            sockets: sockets.clone(),
            logs: self.folder.clone(),
            gdb: Some(free_port().map_err(failed)?),
            exit_on_reset: false,
            hold: false,
            plugin: None,
            enter: Vec::new(),
        };
        let pid = self.spawn(sub, kitchen, &wiring)?;
        let gdb = wiring.gdb.unwrap_or_default();
        let state = State { pid, case: sub.name.clone(), sockets, logs: self.folder.clone(), gdb };
        state.write(&self.folder).map_err(failed)?;
        self.wait_for_socket(&state)?;
        Ok(format!(
            "{} is up: process {pid}, gdb on 127.0.0.1:{gdb}, logs in {}",
            sub.name,
            self.folder.display()
        ))
    }

    fn spawn(&self, sub: &SubCase, kitchen: &dyn Kitchen, wiring: &Wiring) -> Result<u32, String> {
        let machine = &sub.case.machine;
        if yard::is_needed(machine) {
            return Err("a machine by hand has no namespace for its taps".into());
        }
        let kvm = accel::choose(machine.accel, machine.icount)?;
        let firmware = machine.boot.uefi().then(firmware::ovmf).transpose()?;
        let media =
            kitchen.media(&sub.case, &sub.name, 0, &self.folder).map_err(|unready| match unready {
                Unready::Skip(reason) | Unready::Fail(reason) => reason,
            })?;
        entropy::provide(machine, wiring)?;
        canary::provide(machine, wiring)?;
        disk::provide(machine, wiring)?;
        let args = args(machine, kvm, &media, firmware.as_deref(), wiring);
        fs::write(self.folder.join("qemu.args"), args.join("\n") + "\n")
            .map_err(|error| error.to_string())?;
        let log = fs::File::create(self.folder.join("qemu.log")).map_err(|error| error.to_string())?;
        let child = Command::new(qemu())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", qemu()))?;
        Ok(child.id())
    }

    fn wait_for_socket(&self, state: &State) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if state.sockets.join("monitor").exists() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.folder.join("qemu.log")).unwrap_or_default();
        Err(format!("QEMU did not come up: {}", log.trim()))
    }

    /// Attaches the terminal to the serial port.
    pub fn console(&self) -> Result<(), String> {
        let state = self.state()?;
        let failed = |error: io::Error| format!("serial port: {error}");
        let mut serial = UnixStream::connect(state.sockets.join("serial")).map_err(failed)?;
        serial.set_read_timeout(Some(Duration::from_millis(20))).map_err(failed)?;
        let mut buffer = [0; 4096];
        let result = terminal::attach(|typed| {
            serial.write_all(typed)?;
            match serial.read(&mut buffer) {
                Ok(0) => Ok(None),
                Ok(count) => Ok(Some(buffer.get(..count).unwrap_or_default().to_vec())),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    Ok(Some(Vec::new()))
                }
                Err(error) => Err(error),
            }
        });
        result.map_err(failed)
    }

    /// Types `line`, if any, and waits until the serial log matches `pattern` after what was there before the typing.
    pub fn assert(&self, pattern: &str, line: Option<&str>, patience: Patience) -> Result<String, String> {
        let state = self.state()?;
        let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
        let log = state.logs.join("serial.log");
        let from = if line.is_some() { fs::read(&log).map_or(0, |bytes| bytes.len()) } else { 0 };
        // Held until the answer is seen: the port takes one client at a time. And read, or it would take no more of the machine's.
        let mut serial = line.map(|line| type_line(&state, line)).transpose()?;
        let start = Instant::now();
        loop {
            if let Some(serial) = &mut serial {
                drain(serial);
            }
            let bytes = fs::read(&log).unwrap_or_default();
            let mut text = String::new();
            Plain::default().push(bytes.get(from..).unwrap_or_default(), &mut text);
            if let Some(found) = pattern.find(&text) {
                return Ok(found.as_str().to_owned());
            }
            if start.elapsed() >= patience {
                return Err(format!(
                    "/{pattern}/ was not seen within {} s in:\n{text}",
                    patience.as_secs_f32()
                ));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Pulls the reset line.
    pub fn reboot(&self) -> Result<String, String> {
        let state = self.state()?;
        tell_monitor(&state, &monitor::action(Action::Reset))?;
        Ok(format!("{} was reset", state.case))
    }

    /// Lets the machine go on, if it stands still.
    pub fn go_on(&self) -> Result<(), String> {
        tell_monitor(&self.state()?, &monitor::action(Action::Continue))
    }

    /// Ends the machine. Returns which case it ran.
    pub fn down(&self) -> Result<String, String> {
        let state = self.state()?;
        // A monitor that does not answer is why the process is ended by its id below.
        let _ = tell_monitor(&state, &monitor::quit());
        let start = Instant::now();
        while state.lives() {
            if start.elapsed() > Duration::from_secs(5) {
                let killed = Command::new("kill").args(["-KILL", &state.pid.to_string()]).status();
                killed.map_err(|error| format!("kill: {error}"))?;
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        State::forget(&self.folder);
        // Dead sockets only.
        let _ = fs::remove_dir_all(&state.sockets);
        Ok(state.case)
    }

    /// Removes old runs beyond the budget.
    pub fn prune(&self) -> Result<usize, String> {
        artefacts::prune(&self.lab).map_err(|error| error.to_string())
    }

    /// The port of its gdb stub.
    pub fn gdb(&self) -> Result<u16, String> {
        self.state().map(|state| state.gdb)
    }

    /// Which case is up.
    pub fn current(&self) -> Option<String> {
        State::read(&self.folder).map(|state| state.case)
    }

    fn state(&self) -> Result<State, String> {
        State::read(&self.folder).ok_or_else(|| "no machine is up; `up` starts one".into())
    }
}

fn type_line(state: &State, line: &str) -> Result<UnixStream, String> {
    let failed = |error: io::Error| format!("serial port: {error}");
    let mut serial = UnixStream::connect(state.sockets.join("serial")).map_err(failed)?;
    serial.write_all(format!("{line}\r").as_bytes()).map_err(failed)?;
    serial.set_nonblocking(true).map_err(failed)?;
    Ok(serial)
}

/// Takes what has come; the log has it, too.
fn drain(serial: &mut impl Read) {
    let mut buffer = [0; 4096];
    while matches!(serial.read(&mut buffer), Ok(1..)) {}
}

/// One command over a connection of its own: greeting, capabilities, command, answer.
fn tell_monitor(state: &State, command: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("monitor: {error}");
    let mut stream = UnixStream::connect(state.sockets.join("monitor")).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(failed)?;
    let mut lines = BufReader::new(stream.try_clone().map_err(failed)?).lines();
    for message in [monitor::hello(), command.to_owned()] {
        stream.write_all(message.as_bytes()).map_err(failed)?;
        let answered = lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"return\""));
        if !answered {
            return Err("the monitor does not answer".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_at_length_is_not_kept_from_it() {
        let (mut ours, mut machines) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let machine = thread::spawn(move || machines.write_all(&[b'x'; 1 << 20]));
        let start = Instant::now();
        while !machine.is_finished() && start.elapsed() < Duration::from_secs(20) {
            drain(&mut ours);
        }
        assert!(machine.is_finished());
        machine.join().unwrap().unwrap();
    }
}
