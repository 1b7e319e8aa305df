//! What user code may write into the indices, and what the kernel makes of it.

use super::Pair;
use crate::RingFault;
use capos_abi::ring::{fault, header};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

#[test]
fn a_tail_exactly_one_queue_ahead_is_good_and_one_more_is_not() {
    let pair = Pair::small();
    pair.poke(header::SQ_TAIL, 8);
    assert_eq!(pair.kernel.sq_pending(0), Ok(8));
    pair.poke(header::SQ_TAIL, 9);
    assert_eq!(pair.kernel.sq_pending(0), Err(RingFault::SqTail));
}

#[test]
fn a_tail_behind_the_head_is_refused() {
    let pair = Pair::small();
    pair.poke(header::SQ_TAIL, 4);
    assert_eq!(pair.kernel.sq_pending(5), Err(RingFault::SqTail));
    pair.poke(header::SQ_TAIL, u32::MAX);
    assert_eq!(pair.kernel.sq_pending(0), Err(RingFault::SqTail));
}

#[test]
fn a_head_ahead_of_the_tail_is_refused() {
    let pair = Pair::small();
    pair.poke(header::CQ_HEAD, 1);
    assert_eq!(pair.kernel.cq_waiting(0), Err(RingFault::CqHead));
    assert_eq!(pair.kernel.cq_space(0), Err(RingFault::CqHead));
}

#[test]
fn a_head_more_than_one_queue_behind_is_refused() {
    let pair = Pair::small();
    assert_eq!(pair.kernel.cq_waiting(16), Ok(16));
    assert_eq!(pair.kernel.cq_waiting(17), Err(RingFault::CqHead));
}

#[test]
fn each_fault_has_the_number_of_the_contract() {
    let pair = Pair::small();
    assert_eq!(pair.user.fault(), 0);
    for (found, number) in [(RingFault::SqTail, fault::SQ_TAIL), (RingFault::CqHead, fault::CQ_HEAD)] {
        pair.kernel.set_fault(found.code());
        assert_eq!(pair.user.fault(), number);
    }
}

#[test]
fn lies_in_the_kernels_own_header_words_change_nothing_for_the_kernel() {
    let pair = Pair::small();
    pair.kernel.init_header(1, 1, 0);
    for offset in
        [header::SQ_HEAD, header::CQ_TAIL, header::SQ_ENTRIES, header::CQ_ENTRIES, header::ARENA_LEN]
    {
        pair.poke(offset, u32::MAX);
    }
    assert_eq!((pair.kernel.sq_pending(0), pair.kernel.cq_space(0)), (Ok(0), Ok(16)));
    assert_eq!(pair.kernel.arena_len(), 4096);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 1000 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_indices_are_judged_by_their_distance(theirs in any::<u32>(), ours in any::<u32>()) {
        let pair = Pair::small();
        pair.poke(header::SQ_TAIL, theirs);
        pair.poke(header::CQ_HEAD, theirs);
        let pending = theirs.wrapping_sub(ours);
        prop_assert_eq!(pair.kernel.sq_pending(ours).ok(), Some(pending).filter(|n| *n <= 8));
        let waiting = ours.wrapping_sub(theirs);
        prop_assert_eq!(pair.kernel.cq_waiting(ours).ok(), Some(waiting).filter(|n| *n <= 16));
        prop_assert_eq!(pair.kernel.cq_space(ours).ok(), Some(waiting).filter(|n| *n <= 16).map(|n| 16 - n));
    }

    #[test]
    fn entries_of_any_index_lie_inside_the_block(index in any::<u32>()) {
        // Miri and the page-exact allocation tell when they do not.
        let pair = Pair::small();
        pair.kernel.write_cqe(index, &Default::default());
        prop_assert!(pair.kernel.read_sqe(index) == Default::default());
    }
}
