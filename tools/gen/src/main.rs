//! `gen write` and `gen check`.

use std::path::Path;
use std::process::ExitCode;

use schema_gen::{Faults, outputs};

const USAGE: &str = "usage: gen write|check [ROOT]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["write"] => write(Path::new(".")),
        ["check"] => check(Path::new(".")),
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
    Faults(outputs::differences(root, &outputs::generate(root, &schema)?)).check()
}
