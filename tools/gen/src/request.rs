//! Runs the Cap'n Proto compiler and reads what it says.

use std::path::Path;
use std::process::Command;

use capnp::message::{Reader, ReaderOptions};
use capnp::serialize::{OwnedSegments, read_message};

use crate::fault::{Fault, Faults};

/// A `CodeGeneratorRequest` as it came from the compiler.
pub type Request = Reader<OwnedSegments>;

/// Compiles `files` (paths relative to `root`) and reads the request.
pub fn compile(root: &Path, files: &[String]) -> Result<Request, Faults> {
    let mut command = Command::new("capnp");
    command.args(["compile", "-o-"]).args(files).current_dir(root);
    // It would complain about a working directory that the shell calls by another name.
    command.env_remove("PWD");
    let output = command
        .output()
        .map_err(|error| Fault::of_file("capnp", format!("cannot run the Cap'n Proto compiler: {error}")))?;
    if !output.status.success() {
        return Err(Faults(String::from_utf8_lossy(&output.stderr).lines().map(complaint).collect()));
    }
    parse(&output.stdout)
}

/// Reads a request from the compiler's output.
pub fn parse(bytes: &[u8]) -> Result<Request, Faults> {
    read_message(&mut &*bytes, ReaderOptions::new()).map_err(|error| {
        Fault::of_file("capnp", format!("the compiler's output is malformed: {error}")).into()
    })
}

/// One line of the compiler's standard error: `file:line:columns: error: what`.
fn complaint(line: &str) -> Fault {
    let mut parts = line.splitn(4, ':');
    let place = (parts.next(), parts.next().and_then(|line| line.parse().ok()), parts.next(), parts.next());
    match place {
        (Some(file), Some(line), Some(_), Some(message)) => {
            Fault { file: file.to_owned(), line: Some(line), message: message.trim().to_owned() }
        }
        _ => Fault::of_file("capnp", line),
    }
}

#[cfg(test)]
mod tests {
    use super::{complaint, parse};

    #[test]
    fn complaints_keep_file_and_line() {
        let fault = complaint("schema/timer.capnp:12:3-9: error: Parse error.");
        assert_eq!(fault.to_string(), "schema/timer.capnp:12: error: Parse error.");
        assert_eq!(complaint("something else").to_string(), "capnp: something else");
    }

    #[test]
    fn rubbish_is_refused() {
        assert!(parse(b"").is_err());
        assert!(parse(&[0xff; 64]).is_err());
    }
}
