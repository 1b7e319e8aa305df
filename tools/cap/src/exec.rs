//! Running other programs: a line with progress and time while they work, quiet when all is well, and the failing command with its
//! last output when not.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::progress::Progress;

/// How many of the last lines of a failed command are shown.
const TAIL: usize = 80;

/// Something went wrong; the text is for a person.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// With this text.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Adds what was tried to an error of the system.
pub trait Context<T> {
    /// `what` failed.
    fn context(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

/// What a program left.
#[derive(Debug)]
pub struct Done {
    /// Whether it ended well.
    pub success: bool,
    /// Standard output and standard error, line by line as they came.
    pub output: String,
}

/// Runs `command` to its end under the heading `what`; its newest line is shown beside the heading on a terminal.
pub fn observe(what: &str, command: &mut Command) -> Result<Done, Failure> {
    let progress = Progress::start(what);
    let done = collect(command, &progress)?;
    progress.finish(done.success);
    Ok(done)
}

/// Like [`observe`], and a bad end is a failure.
pub fn run(what: &str, command: &mut Command) -> Result<Done, Failure> {
    let done = observe(what, command)?;
    match done.success {
        true => Ok(done),
        false => Err(failed(what, command, &done.output)),
    }
}

/// Runs a command that takes no noticeable time and returns its standard output.
pub fn ask(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output().context(show(command))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(failed("asking", command, &String::from_utf8_lossy(&output.stderr))),
    }
}

/// The failure of a command: the command itself and the end of its output.
pub fn failed(what: &str, command: &Command, output: &str) -> Failure {
    let lines: Vec<&str> = output.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    Failure(format!("{what} failed:\n  {}\n{tail}", show(command)))
}

/// The command line as it could be typed.
fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn collect(command: &mut Command, progress: &Progress) -> Result<Done, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(show(command))?;
    let (sender, lines) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|stream| forward(stream, sender.clone())),
        child.stderr.take().map(|stream| forward(stream, sender)),
    ];
    let mut output = String::new();
    for line in lines {
        progress.say(&line);
        output.push_str(&line);
        output.push('\n');
    }
    for reader in readers.into_iter().flatten() {
        // A reader ends with its stream and cannot panic.
        let _ = reader.join();
    }
    let status = child.wait().context(show(command))?;
    Ok(Done { success: status.success(), output })
}

fn forward(stream: impl Read + Send + 'static, to: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if to.send(text).is_err() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_collected() {
        let done = run("test", &mut shell("echo out; echo err >&2")).unwrap();
        assert!(done.output.contains("out\n") && done.output.contains("err\n"));
    }

    #[test]
    fn a_failure_shows_the_command_and_its_last_words() {
        let error = run("the test", &mut shell("seq 200; exit 3")).unwrap_err().to_string();
        assert!(error.starts_with("the test failed:\n  sh -c 'seq 200; exit 3'\n"), "{error}");
        assert!(error.ends_with("\n199\n200") && !error.contains("\n100\n"));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = ask(&mut Command::new("capos-no-such-program")).unwrap_err().to_string();
        assert!(error.contains("capos-no-such-program"), "{error}");
    }

    #[test]
    fn context_says_what_was_tried() {
        let error = std::fs::read("/nonexistent").context("reading the moon").unwrap_err().to_string();
        assert!(error.starts_with("reading the moon: "), "{error}");
    }
}
