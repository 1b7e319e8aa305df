//! The network namespace of a machine whose wires end at interfaces: made before it, gone with all that runs there when it is dropped or the lab
//! dies. Nothing outside of it changes.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use super::{Far, Wire};
use crate::case::Machine;
use crate::machine::args::Wiring;
use crate::machine::guest::{end, tied};

const READY: &str = "the yard is ready";

/// It.
pub struct Yard {
    child: Child,
    /// Its first process.
    first: String,
}

/// Whether a machine needs one.
pub fn is_needed(machine: &Machine) -> bool {
    machine.wires.values().any(|wire| wire.to == Far::Tap)
}

/// Whether this host can have one.
///
/// # Errors
/// Why not.
pub fn is_possible() -> Result<(), String> {
    static POSSIBLE: OnceLock<Result<(), String>> = OnceLock::new();
    let ask = || Yard::open("ip tuntap add dev probe0 mode tap").map(|_| ());
    POSSIBLE
        .get_or_init(ask)
        .clone()
        .map_err(|why| format!("no interfaces in a network namespace of one's own: {why}"))
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

impl Yard {
    /// Makes one with the interfaces of a machine, if it needs one.
    pub fn make(machine: &Machine, wiring: &Wiring) -> Result<Option<Yard>, String> {
        if !is_needed(machine) {
            return Ok(None);
        }
        let taps = machine.wires.iter().filter(|(_, wire)| wire.to == Far::Tap);
        let lines: String = taps.map(|(name, wire)| lines(name, wire)).collect();
        let script = format!("cd {}\n{lines}", quoted(&wiring.logs.display().to_string()));
        Yard::open(&script).map(Some).map_err(|error| format!("wires: {error}"))
    }

    fn open(script: &str) -> Result<Yard, String> {
        let script = format!(
            "set -eu\nip link set lo up\n{script}\nread first rest < /proc/self/stat\necho {READY} $first\nexec sleep infinity"
        );
        // The first process of its namespace takes all others with it.
        let mut words = vec!["--net", "--pid", "--fork", "--kill-child=KILL"];
        words.extend((!is_root()).then_some("--map-root-user"));
        let mut command = tied("unshare");
        command.args(words).args(["--", "sh", "-c", &script]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        match child.stdout.take().and_then(first_process) {
            Some(first) => Ok(Yard { child, first }),
            None => {
                end(&mut child);
                let mut said = String::new();
                // It says what went wrong, or nothing at all.
                let _ = child.stderr.take().map(|mut stream| stream.read_to_string(&mut said));
                Err(said.trim().to_owned())
            }
        }
    }

    /// What has a program run there, before its name. It stays a child of the lab.
    pub fn enter(&self) -> Vec<String> {
        self.words(&[])
    }

    /// The same for programs that end when it does, whoever started them.
    pub fn enter_for_good(&self) -> Vec<String> {
        self.words(&["--pid"])
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let user: &[&str] = if is_root() { &[] } else { &["--user", "--preserve-credentials"] };
        let words = ["nsenter", "--target", &self.first, "--net"];
        words.iter().chain(user).chain(more).chain(&["--"]).map(|word| (*word).to_owned()).collect()
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// What makes one interface, and runs beside it.
fn lines(name: &str, wire: &Wire) -> String {
    let queues = if wire.queues > 1 { " multi_queue" } else { "" };
    let made = wire.make.iter().map(|command| format!("sh -euc {} >&2\n", quoted(command)));
    let beside =
        wire.beside.iter().map(|command| format!("sh -euc {} >> {name}.beside 2>&1 &\n", quoted(command)));
    let begin = format!("ip tuntap add dev {name} mode tap{queues}\nip link set dev {name} up\n");
    std::iter::once(begin).chain(made).chain(beside).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Its number, as processes outside see it, once all is ready.
fn first_process(stdout: ChildStdout) -> Option<String> {
    let line = BufReader::new(stdout).lines().map_while(Result::ok).find(|line| line.starts_with(READY))?;
    Some(line.strip_prefix(READY)?.trim().to_owned())
}

/// A command in front of which these words stand.
pub fn command(enter: &[String], program: &str) -> Command {
    match enter.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn said(yard: &Yard, script: &str) -> String {
        let done = command(&yard.enter_for_good(), "sh").args(["-euc", script]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    #[test]
    fn a_yard_has_its_own_interfaces_and_takes_all_with_it() {
        if let Err(why) = is_possible() {
            eprintln!("skipped: {why}");
            return;
        }
        // Others may test the same on this host.
        let marks = [1, 2].map(|number| format!("{number}00{}", std::process::id()));
        let [beside, left] = marks.each_ref();
        let wire = format!(
            "to = 'tap'\nmake = ['ip address add 10.9.8.7/24 dev n0']\nbeside = [\"sleep {beside}; echo 'x'\"]"
        );
        let wire: Wire = toml::from_str(&wire).unwrap();
        let folder = std::env::temp_dir().join(format!("capos-lab-yard-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = format!("cd {}\n{}", quoted(&folder.display().to_string()), lines("n0", &wire));
        let yard = Yard::open(&script).unwrap();
        assert!(said(&yard, "ip -4 address show dev n0").contains("10.9.8.7/24"));
        assert!(!std::path::Path::new("/sys/class/net/n0").exists(), "outside there is none");
        // Who was left running there by somebody who went.
        said(&yard, &format!("sleep {left} > /dev/null 2>&1 &"));
        let of_ours = || {
            let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
            let is_ours =
                |line: &[u8]| marks.iter().any(|mark| line == format!("sleep\0{mark}\0").as_bytes());
            lines.filter(|line| is_ours(line)).count()
        };
        let wait_for = |count: usize| {
            let start = Instant::now();
            while of_ours() != count {
                assert!(start.elapsed() < Duration::from_secs(10), "there are {} of them", of_ours());
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait_for(2);
        drop(yard);
        wait_for(0);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_does_not_work_there_is_told() {
        if is_possible().is_err() {
            return;
        }
        let error = Yard::open("echo the cable is cut >&2\nfalse").err().unwrap();
        assert_eq!(error, "the cable is cut");
    }

    #[test]
    fn words_are_quoted() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
