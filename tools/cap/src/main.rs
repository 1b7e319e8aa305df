//! `cap`: the one host command. It builds, runs, tests, checks and measures the system; the Makefile only gives it short names.

mod bench;
mod build;
mod command_line;
mod crash;
mod debugger;
mod exec;
mod export;
mod fs;
mod gate;
mod git;
mod hand;
mod house;
mod images;
mod kitchen;
mod lint;
mod package;
mod peer;
mod plugin;
mod progress;
mod run;
mod scaffold;
mod smoke;
mod symbolize;
mod systems;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use command_line::{CommandLine, Verb};
use exec::Failure;
use house::House;

fn main() -> ExitCode {
    match carry_out(CommandLine::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            // If nobody reads it there is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the verb says; `Ok(false)` if it found something wrong and has told so already.
fn carry_out(verb: Verb) -> Result<bool, Failure> {
    let house = House::find()?;
    match verb {
        Verb::Build => build::build(&house, build::Scope::All).map(|_| true),
        Verb::Image => images::show(&house),
        Verb::Run(options) => run::run(&house, &options),
        Verb::Test { steps } if steps.is_empty() => gate::run(&house, &gate::Choice::All),
        Verb::Test { steps } => gate::run(&house, &gate::Choice::Named(steps)),
        Verb::Check => gate::run(&house, &gate::Choice::Quick),
        Verb::Lint => lint(&house),
        Verb::Smoke { filter } => smoke::show(&house, &filter),
        Verb::List { filter } => smoke::list(&house, &filter),
        Verb::Bench { filter, check } => bench::run(&house, &filter, check),
        Verb::New { kind, name } => scaffold::make(&house, kind, &name).map(|()| true),
        Verb::Symbolize { program, addresses } => {
            symbolize::run(&house, program.as_deref(), &addresses).map(|()| true)
        }
        Verb::Gdb { port } => debugger::attach(&house, port),
        Verb::Export { check } => export::run(&house, check),
        Verb::Fs(verb) => fs::carry_out(&verb),
        Verb::Peer(verb) => peer::carry_out(&verb).map(|()| true),
        Verb::Crash(verb) => crash::carry_out(&verb),
        Verb::Hand(verb) => hand::carry_out(&house, verb),
    }
}

fn lint(house: &House) -> Result<bool, Failure> {
    let report = lint::of_house(house)?;
    print!("{report}");
    println!("{} passed, {} failed, 0 skipped", report.passed, report.failed.len());
    Ok(report.failed.is_empty())
}
