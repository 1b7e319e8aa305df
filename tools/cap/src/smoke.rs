//! Lab cases from the command line and from the gate.

use lab::artefacts::{Outcome, Status};
use lab::library;
use lab::matrix::SubCase;
use lab::runner::{Plan, run_all};
use lab::{glob, table};

use crate::exec::{Context, Failure};
use crate::house::House;
use crate::kitchen::Pantry;

/// All sub-cases that `filter` selects.
pub fn select(house: &House, filter: &str) -> Result<Vec<SubCase>, Failure> {
    let all = library::load(&house.cases()).map_err(|errors| Failure::new(errors.join("\n")))?;
    let total = all.len();
    let chosen: Vec<SubCase> = all.into_iter().filter(|case| glob::selects(filter, &case.name)).collect();
    match chosen.is_empty() {
        true => {
            Err(Failure::new(format!("no case of {total} matches `{filter}`; `cargo cap list` shows them")))
        }
        false => Ok(chosen),
    }
}

/// Builds what they need and runs them.
pub fn run(house: &House, filter: &str) -> Result<Vec<Outcome>, Failure> {
    let cases = select(house, filter)?;
    let pantry = Pantry::stock(house, &cases)?;
    run_all(&cases, &pantry, &house.lab(), &Plan::from_environment()).context("the lab")
}

/// Runs them for a person.
pub fn show(house: &House, filter: &str) -> Result<bool, Failure> {
    let outcomes = run(house, filter)?;
    println!("{}", house.short(&house.lab().join("latest")).display());
    println!("{}", table::audits(&outcomes));
    println!("{}", table::closing(&outcomes));
    Ok(outcomes.iter().all(|outcome| outcome.status != Status::Failed))
}

/// Their names and reasons to exist.
pub fn list(house: &House, filter: &str) -> Result<bool, Failure> {
    let cases = select(house, filter)?;
    for case in &cases {
        println!("{:60} {}", case.name, case.case.why.lines().next().unwrap_or_default());
    }
    println!("{} cases", cases.len());
    Ok(true)
}
