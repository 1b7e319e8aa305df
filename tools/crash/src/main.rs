//! `crash`: looks for what a crash breaks, with another seed and more workloads than the tests have time for.

use std::process::ExitCode;

use clap::Parser;
use crash::{Campaign, Fault, Found, Random, Summary, campaign, pairs, random, singles};
use indicatif::{ProgressBar, ProgressStyle};

/// Runs operations on a volume in memory, and looks at every state in which the machine could have stopped.
#[derive(Parser)]
struct CommandLine {
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Workloads by chance, after each operation alone and every two of them.
    #[arg(long, default_value_t = 200)]
    random: usize,
    /// Operations of each of these.
    #[arg(long, default_value_t = 20)]
    length: usize,
    /// Choices to try at each flush where there are too many for all.
    #[arg(long, default_value_t = 20)]
    samples: usize,
    /// Stops after so many states, and says how many workloads that leaves out.
    #[arg(long, default_value_t = usize::MAX)]
    states: usize,
    /// Leaves out every so-manieth flush, to see that it is found.
    #[arg(long)]
    drop_flush: Option<u32>,
    /// Writes superblocks before what they lead to, to see that it is found.
    #[arg(long)]
    early_superblock: bool,
    /// Leaves out pairs of operations.
    #[arg(long)]
    no_pairs: bool,
}

fn main() -> ExitCode {
    let options = CommandLine::parse();
    let mut chance = Random(options.seed);
    let mut workloads = singles();
    if !options.no_pairs {
        workloads.extend(pairs());
    }
    workloads.extend((0..options.random).map(|_| random(&mut chance, options.length)));
    let fault = match options {
        CommandLine { drop_flush: Some(every), .. } => Fault::DropFlush(every.max(1)),
        CommandLine { early_superblock: true, .. } => Fault::EarlySuperblock,
        _ => Fault::None,
    };
    let bar = ProgressBar::new(workloads.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} workloads, {elapsed}, {eta} to go: {msg}") {
        bar.set_style(style);
    }
    let plan = Campaign { workloads, seed: options.seed, samples: options.samples, fault };
    let summary = campaign(&plan, |summary| {
        bar.set_position(summary.workloads as u64);
        bar.set_message(format!("{} states, {} bad", summary.states, summary.bad));
        summary.states < options.states
    });
    bar.finish_and_clear();
    show(&summary, options.seed, plan.workloads.len());
    if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(summary: &Summary, seed: u64, planned: usize) {
    for (ops, differs) in summary.differ.iter().take(3) {
        println!("without a crash, in {ops:?}:\n  {differs}");
    }
    if let Some(Found { ops, kept, bad }) = &summary.first {
        println!(
            "the first bad state, in {ops:?}:\n  with these writes of the last flush {kept:x?}:\n  {bad:?}"
        );
    }
    let Summary { workloads, states, bad, differ, .. } = summary;
    println!(
        "seed {seed}: {workloads} workloads, {states} states, {bad} bad; {} differ without a crash",
        differ.len()
    );
    let left = planned.saturating_sub(*workloads);
    if left > 0 {
        println!("stopped after {states} states: {left} of {planned} workloads were not tried");
    }
}
