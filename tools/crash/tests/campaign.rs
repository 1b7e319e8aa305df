//! Every operation alone and some in a row, with all that a crash can leave of them; and that what is broken on purpose is found.

use std::process::Command;
use std::time::SystemTime;

use crash::{Bad, Campaign, Fault, Found, Random, Summary, campaign, random, singles, some_pairs};

fn run(workloads: Vec<Vec<crash::Op>>, fault: Fault) -> Summary {
    let plan = Campaign { workloads, seed: 7, samples: 2, fault };
    campaign(&plan, |summary| fault == Fault::None || summary.bad == 0)
}

fn some(seed: u64) -> Vec<Vec<crash::Op>> {
    let mut chance = Random(seed);
    (0..4).map(|_| random(&mut chance, 10)).collect()
}

#[test]
fn whatever_a_crash_leaves_is_what_operations_in_a_row_did() {
    let mut workloads = singles();
    workloads.extend(some(11));
    let summary = run(workloads, Fault::None);
    assert!(summary.is_good(), "{summary:?}");
    assert!(summary.states > 2000, "{}", summary.states);
}

/// How many of the 2,450 pairs each run of this test has, others each time: all of them are the campaign's (docs/figures.md).
const PAIRS: usize = 24;

/// `CRASH_SEED=n` has the same pairs again.
#[test]
fn so_it_is_of_some_two_operations() {
    let given = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = given.unwrap_or_else(|| now.map_or(1, |now| now.as_secs()));
    println!("CRASH_SEED={seed}");
    let workloads = some_pairs(&mut Random(seed), PAIRS);
    assert!(workloads.len() == PAIRS && (1..PAIRS).all(|at| !workloads[..at].contains(&workloads[at])));
    let summary = run(workloads, Fault::None);
    assert!(summary.is_good() && summary.workloads == PAIRS, "CRASH_SEED={seed}: {summary:?}");
}

#[test]
fn who_stops_early_says_what_was_not_tried() {
    let mut crash = Command::new(env!("CARGO_BIN_EXE_crash"));
    let done =
        crash.args(["--no-pairs", "--random", "3", "--samples", "1", "--states", "1"]).output().unwrap();
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && told.starts_with("seed 1: 1 workloads, "), "{told}");
    assert!(told.contains(": 38 of 39 workloads were not tried"), "{told}");
}

#[test]
fn a_superblock_that_comes_before_what_it_leads_to_is_found() {
    let summary = run(singles(), Fault::EarlySuperblock);
    let bad = summary.first.expect("it was not found").bad;
    assert!(matches!(bad, Bad::Unsound(_) | Bad::Volume(_) | Bad::Files(_)), "{bad:?}");
}

#[test]
fn a_commit_that_does_not_wait_for_the_disk_is_found() {
    // Every second flush is left out, and most commits have one: what was synced may be gone.
    let summary = run(singles(), Fault::DropFlush(2));
    assert!(matches!(summary.first, Some(Found { bad: Bad::Contents(_), .. })), "{:?}", summary.first);
    // Now and then the first of a commit that has two: what the superblock leads to may not be there.
    let summary = run(some(1).into_iter().chain(some(2)).collect(), Fault::DropFlush(3));
    assert!(summary.bad > 0, "it was not found");
}
