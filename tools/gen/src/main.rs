//! The generator's command line: `gen write`, `gen check`, `gen compat`.

use std::path::Path;
use std::process::ExitCode;

use schema_gen::{Fault, Faults, lock, outputs};

const USAGE: &str = "\
usage: gen write [ROOT]         write all that follows from ROOT/schema/*.capnp
       gen check [ROOT]         exit 1 and name what differs from that, or breaks a promise of schema.lock
       gen compat OLD [ROOT]    exit 1 and name the promises of the lock file OLD that are broken
ROOT is the repository, by default the current directory.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["write"] => write(Path::new(".")),
        ["write", root] => write(Path::new(root)),
        ["check"] => check(Path::new(".")),
        ["check", root] => check(Path::new(root)),
        ["compat", old] => compat(old, Path::new(".")),
        ["compat", old, root] => compat(old, Path::new(root)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            eprintln!("{faults}");
            ExitCode::FAILURE
        }
    }
}

fn write(root: &Path) -> Result<(), Faults> {
    let schema = outputs::load(root)?;
    for path in outputs::write(root, &outputs::generate(root, &schema)?)? {
        println!("{path}");
    }
    Ok(())
}

fn check(root: &Path) -> Result<(), Faults> {
    let schema = outputs::load(root)?;
    let mut differences = outputs::differences(root, &outputs::generate(root, &schema)?);
    for difference in &mut differences {
        difference.message.push_str("; run `cargo run -p gen -- write`");
    }
    Faults(differences).check()
}

fn compat(old: &str, root: &Path) -> Result<(), Faults> {
    let promised = std::fs::read_to_string(old)
        .map_err(|error| Fault::of_file(old, format!("cannot be read: {error}")))?;
    lock::check(&outputs::parse(root)?, old, &promised)
}
