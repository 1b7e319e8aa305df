//! An answer and the next receive as one submission.

use super::Pair;
use capos_abi::{Op, Sqe};

const RIGHT: u64 = 0x0100_0003;

fn answer() -> Sqe {
    Sqe {
        op: Op::Return as u8,
        cap: 77,
        interface: RIGHT,
        msg_off: 8,
        msg_len: 16,
        user_data: 1,
        ..Sqe::default()
    }
}

fn receive() -> Sqe {
    Sqe {
        op: Op::Recv as u8,
        cap: RIGHT,
        msg_off: 64,
        msg_len: 128,
        caps_off: 512,
        caps_recv: 4,
        user_data: 2,
        ..Sqe::default()
    }
}

#[test]
fn a_receive_joins_the_answer_before_it() {
    for flags in [0, 1] {
        let pair = Pair::small();
        pair.user.submit(&Sqe { flags, method: 9, ..answer() }).unwrap();
        assert!(pair.user.join_receive(&receive()));
        let joined = Sqe {
            op: Op::ReturnRecv as u8,
            flags,
            method: 9,
            user_data: 2,
            reply_off: 64,
            reply_len: 128,
            caps_off: 512,
            caps_recv: 4,
            ..answer()
        };
        assert_eq!((pair.kernel.sq_pending(0), pair.kernel.read_sqe(0)), (Ok(1), joined));
    }
}

#[test]
fn it_joins_nothing_else() {
    let others = [
        Sqe { caps_send: 1, ..answer() },
        Sqe { interface: RIGHT + 1, ..answer() },
        Sqe { op: Op::Release as u8, ..answer() },
        Sqe { op: Op::ReturnRecv as u8, ..answer() },
    ];
    for other in others {
        let pair = Pair::small();
        pair.user.submit(&answer()).unwrap();
        pair.user.submit(&other).unwrap();
        assert!(!pair.user.join_receive(&receive()), "{other:?}");
        assert_eq!((pair.kernel.read_sqe(0), pair.kernel.read_sqe(1)), (answer(), other));
    }
}

#[test]
fn it_joins_no_answer_that_the_kernel_has_taken() {
    let pair = Pair::small();
    assert!(!pair.user.join_receive(&receive()), "there is none");
    pair.user.submit(&answer()).unwrap();
    pair.kernel.publish_sq_head(1);
    assert!(!pair.user.join_receive(&receive()));
    // The slot behind the end of the queue is the last one, the answer at its beginning another's.
    for _ in 0..6 {
        pair.user.submit(&Sqe::default()).unwrap();
    }
    pair.user.submit(&answer()).unwrap();
    assert!(pair.user.join_receive(&receive()));
    assert_eq!(pair.kernel.read_sqe(7).op, Op::ReturnRecv as u8);
}
