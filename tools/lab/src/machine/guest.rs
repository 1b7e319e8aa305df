//! One running machine: the QEMU process and its three lines, each read by a thread into one channel. It is ended by its process
//! id, always: when dropped, and by the kernel of the host if the lab itself dies.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use nbd::Marker;

use super::args::Wiring;
use super::monitor;
use crate::wire::yard;

/// How long QEMU may take to connect its lines, or to leave after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the machine's lines bring.
#[derive(Debug)]
pub enum Signal {
    /// Bytes from COM1.
    Serial(Vec<u8>),
    /// One line of the test port.
    Event(String),
    /// One line of the monitor.
    Monitor(String),
    /// All lines are closed: the machine is gone.
    Gone,
    /// Nothing in the given time.
    Quiet,
}

/// A machine that this process started.
pub struct Guest {
    child: Child,
    keyboard: File,
    monitor: UnixStream,
    signals: Receiver<Signal>,
}

/// A fresh short directory for sockets; removed when dropped.
pub struct Sockets(PathBuf);

impl Sockets {
    /// Makes it.
    pub fn new() -> io::Result<Sockets> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("capos-lab-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Sockets(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // Nothing but dead sockets is in it; if that fails, the temporary directory is cleaned by others.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Guest {
    /// Starts QEMU with these arguments. Its own complaints go to `qemu.log`. What the test port says is also told to `markers`, at once: the
    /// sooner they know, the more the log of a disk shows.
    pub fn start(args: &[String], wiring: &Wiring, markers: Vec<Marker>) -> Result<Guest, String> {
        let failed = |error: io::Error| format!("starting QEMU: {error}");
        let (serial, events) = (Fifos::make(wiring.serial())?, Fifos::make(wiring.events())?);
        let listener = UnixListener::bind(wiring.monitor()).map_err(failed)?;
        let log = wiring.logs.join("qemu.log");
        let output = File::create(&log).map_err(failed)?;
        let mut child = tied_in(&wiring.enter, &super::qemu())
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("{}: {error}", super::qemu()))?;
        let connected = accept(&mut child, &listener, Instant::now() + PATIENCE);
        match connected.and_then(|monitor| Guest::wire(serial, events, monitor, markers)) {
            Ok((keyboard, monitor, signals)) => Ok(Guest { child, keyboard, monitor, signals }),
            Err(error) => {
                end(&mut child);
                Err(format!("{error}; QEMU says: {}", fs::read_to_string(&log).unwrap_or_default().trim()))
            }
        }
    }

    /// QEMU opens its lines in the order of its arguments, so once the monitor is connected it holds both FIFOs.
    fn wire(
        serial: Fifos,
        events: Fifos,
        mut monitor: UnixStream,
        markers: Vec<Marker>,
    ) -> Result<(File, UnixStream, Receiver<Signal>), String> {
        let failed = |error: io::Error| format!("wiring the machine: {error}");
        let (sender, signals) = mpsc::channel();
        let (keyboard, screen) = serial.open().map_err(failed)?;
        let (_, reports) = events.open().map_err(failed)?;
        read_bytes(screen, sender.clone(), Signal::Serial);
        let event = move |line: String| {
            for marker in &markers {
                // Who cannot note that cannot note anything else, and says so in the end.
                let _ = marker.mark(line.as_bytes());
            }
            Signal::Event(line)
        };
        read_lines(reports, sender.clone(), event);
        read_lines(monitor.try_clone().map_err(failed)?, sender, Signal::Monitor);
        monitor.write_all(monitor::hello().as_bytes()).map_err(failed)?;
        Ok((keyboard, monitor, signals))
    }

    /// Types at COM1.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.keyboard.write_all(bytes)
    }

    /// Tells the monitor.
    pub fn command(&mut self, line: &str) -> io::Result<()> {
        self.monitor.write_all(line.as_bytes())
    }

    /// The next signal within `patience`.
    pub fn signal(&self, patience: Duration) -> Signal {
        match self.signals.recv_timeout(patience) {
            Ok(signal) => signal,
            Err(RecvTimeoutError::Timeout) => Signal::Quiet,
            Err(RecvTimeoutError::Disconnected) => Signal::Gone,
        }
    }

    /// Pulls the plug. What the machine had said by then can still be heard.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }

    /// Asks QEMU to leave, waits a little, ends it. Returns how it left, if by itself.
    pub fn finish(mut self, ask: bool) -> Option<ExitStatus> {
        if ask {
            // If the monitor does not hear, the process is ended below.
            let _ = self.command(&monitor::quit());
        }
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        None
    }

    /// The process id, for messages.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Kills and reaps our own child; harmless when it has left already.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A program, tied to this process by `setpriv` where it exists: if the lab is killed, so is the machine.
pub(crate) fn tied(program: &str) -> Command {
    tied_in(&[], program)
}

/// The same behind these words: who enters a namespace of other users is untied by that.
fn tied_in(enter: &[String], program: &str) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return yard::command(enter, program);
    }
    let mut command = yard::command(enter, "/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// What QEMU calls a pipe: one FIFO for each direction. Both are held open until QEMU has them, since opening one end waits for the
/// other.
struct Fifos {
    path: PathBuf,
    held: [File; 2],
}

impl Fifos {
    fn make(path: PathBuf) -> Result<Fifos, String> {
        let ends = ["in", "out"].map(|end| path.with_extension(end));
        let made = Command::new("mkfifo").args(&ends).status();
        if !made.as_ref().is_ok_and(ExitStatus::success) {
            return Err(format!("mkfifo {}: {made:?}", path.display()));
        }
        let [input, output] = ends.map(|end| OpenOptions::new().read(true).write(true).open(end));
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let held = [input.map_err(failed)?, output.map_err(failed)?];
        Ok(Fifos { path, held })
    }

    /// Where to write and where to read. Reading ends when QEMU does.
    fn open(self) -> io::Result<(File, File)> {
        let reader = File::open(self.path.with_extension("out"))?;
        let [input, _output] = self.held;
        Ok((input, reader))
    }
}

fn accept(child: &mut Child, listener: &UnixListener, deadline: Instant) -> Result<UnixStream, String> {
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error.to_string()),
            Err(_) => {}
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("QEMU left at once ({status})"));
        }
        if Instant::now() > deadline {
            return Err("QEMU does not connect".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads a stream in a thread of its own, until it ends or nobody listens.
pub(super) fn read_bytes<T: Send + 'static>(
    mut stream: impl Read + Send + 'static,
    sender: Sender<T>,
    wrap: fn(Vec<u8>) -> T,
) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            if sender.send(wrap(bytes)).is_err() {
                return;
            }
        }
    });
}

fn read_lines(
    stream: impl Read + Send + 'static,
    sender: Sender<Signal>,
    wrap: impl Fn(String) -> Signal + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut reader = io::BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = io::BufRead::read_until(&mut reader, b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !text.is_empty() && sender.send(wrap(text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}
