//! Runs of NOPs do what one after the other does.

use super::Pair;
use capos_abi::{Cqe, Sqe};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

/// What may end a run: anything in the first word, or the reserved field beside the capability array.
fn entry() -> impl Strategy<Value = Sqe> {
    let nop = any::<u64>().prop_map(|user_data| Sqe { user_data, cap: !user_data, aux: 5, ..Sqe::default() });
    let fields = (any::<u8>(), any::<u8>(), any::<u16>(), any::<u32>());
    let other = fields.prop_map(|(op, flags, method, reserved1)| Sqe {
        op,
        flags,
        method,
        reserved1,
        ..Sqe::default()
    });
    prop_oneof![8 => nop, 1 => other, 1 => Just(Sqe { reserved0: 1, ..Sqe::default() })]
}

fn is_plain(sqe: &Sqe) -> bool {
    let Sqe { user_data, cap, interface, msg_off, msg_len, reply_off, reply_len, caps_off, aux, .. } = *sqe;
    let rest = Sqe {
        user_data,
        cap,
        interface,
        msg_off,
        msg_len,
        reply_off,
        reply_len,
        caps_off,
        aux,
        ..Sqe::default()
    };
    rest == *sqe
}

proptest! {
    #[test]
    fn a_run_is_the_plain_nops_in_front(
        start in any::<u32>(),
        tail in any::<u32>(),
        entries in prop::collection::vec(entry(), 1..9),
        limit in 0u32..12,
    ) {
        let pair = Pair::small();
        let limit = limit.min(entries.len() as u32);
        for (n, sqe) in (0u32..).zip(&entries) {
            pair.user.write_sqe(start.wrapping_add(n), sqe);
        }
        let before = Cqe { user_data: 77, result: -9, badge: 3, ..Cqe::default() };
        (0..16).for_each(|n| pair.kernel.write_cqe(tail.wrapping_add(n), &before));
        let wanted = entries.iter().take(limit as usize).take_while(|sqe| is_plain(sqe)).count();
        prop_assert_eq!(pair.kernel.take_nops(start, tail, limit), wanted as u32);
        for (n, sqe) in (0u32..16).zip(entries.iter().map(Some).chain(std::iter::repeat(None))) {
            let done = Cqe { user_data: sqe.map_or(0, |sqe| sqe.user_data), ..Cqe::default() };
            let wanted = if (n as usize) < wanted { done } else { before };
            prop_assert_eq!(pair.user.read_cqe(tail.wrapping_add(n)), wanted);
        }
    }
}
