//! Comparing what is in use with the maps.

use super::blocks::WORDS;
use super::walk::Found;
use super::{Finding, Findings};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::space::{FANOUT, GROUP};
use crate::volume::Volume;

/// Compares all maps with what was found.
pub async fn compare<D: Disk, F: Findings>(
    volume: &Volume<D>,
    findings: &mut F,
    found: &Found,
) -> Result<(), StoreError> {
    for block in found.other.iter().filter(|block| found.live.contains(*block) || found.kept.contains(*block))
    {
        findings.found(Finding::Twice { block });
    }
    let (groups, said) = volume.groups();
    let (mut group, mut counted, mut is_all) = (0, 0, true);
    while group < groups {
        if group % FANOUT == 0 && is_untouched(volume, found, group).await {
            group += FANOUT;
            continue;
        }
        match volume.map_now(group).await {
            Ok(taken) => {
                counted += taken.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
                let sets = [&found.live, &found.kept, &found.other].map(|blocks| blocks.piece(group));
                differences(group * GROUP, &taken, &sets, findings);
            }
            Err(error) => {
                findings.found(Finding::Map { group, error });
                is_all = false;
            }
        }
        group += 1;
    }
    // What a lost map counted is not known.
    if is_all && counted != said {
        findings.found(Finding::Used { said, counted });
    }
    Ok(())
}

/// Whether nothing was ever taken in the groups below one node, and nothing in use is there.
async fn is_untouched<D: Disk>(volume: &Volume<D>, found: &Found, group: u64) -> bool {
    let sets = [&found.live, &found.kept, &found.other];
    let next = sets.iter().filter_map(|blocks| blocks.next_piece(group)).min();
    next.is_none_or(|next| next >= group + FANOUT) && volume.is_untouched(group).await
}

/// Names what differs in a group, whose first block is `start`.
fn differences<F: Findings>(
    start: u64,
    taken: &[u64; WORDS],
    sets: &[Option<&[u64; WORDS]>; 3],
    findings: &mut F,
) {
    let of = |n: usize| sets.iter().flatten().filter_map(move |words| words.get(n));
    let used = (0..WORDS).map(|n| of(n).fold(0, |all, word| all | word));
    let mut run: Option<(bool, u64, u64)> = None;
    let mut tell = |run: Option<(bool, u64, u64)>| match run {
        Some((true, block, count)) => findings.found(Finding::Leaked { block, count }),
        Some((false, block, count)) => findings.found(Finding::NotTaken { block, count }),
        None => {}
    };
    for ((taken, used), n) in taken.iter().zip(used).zip(0u64..) {
        let mut differs = taken ^ used;
        while differs != 0 {
            let bit = differs.trailing_zeros();
            differs &= differs - 1;
            let (leaked, block) = (taken >> bit & 1 != 0, start + n * u64::from(u64::BITS) + u64::from(bit));
            match &mut run {
                Some((kind, first, count)) if *kind == leaked && *first + *count == block => *count += 1,
                _ => tell(run.replace((leaked, block, 1))),
            }
        }
    }
    tell(run);
}
