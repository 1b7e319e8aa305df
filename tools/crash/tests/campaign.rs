//! Every operation alone and some in a row, with all that a crash can leave of them; and that what is broken on purpose is found.

use crash::{Bad, Campaign, Fault, Found, Random, Summary, campaign, random, singles};

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
