//! Which submissions are lone plain calls: what the shortest way takes, the long way would take, too.

use super::Pair;
use crate::Lone;
use capos_abi::ring::header;
use capos_abi::{Op, Sqe};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

const ARENA: u32 = 4096;

fn plain(sqe: &Sqe) -> bool {
    let inside =
        |off: u32, len: u32| off.is_multiple_of(8) && u64::from(off) + u64::from(len) <= u64::from(ARENA);
    sqe.op == Op::Call as u8
        && [sqe.flags, sqe.caps_send, sqe.caps_recv] == [0; 3]
        && (sqe.reserved0, sqe.reserved1, sqe.msg_len) == (0, 0, 0)
        && inside(sqe.msg_off, 0)
        && inside(sqe.reply_off, sqe.reply_len)
}

/// The plain call that waits alone, if it does.
fn plain_one(pair: &Pair, head: u32) -> Option<Sqe> {
    match pair.kernel.lone(head)? {
        Lone::Plain(sqe) => Some(sqe),
        Lone::Other(_) => None,
    }
}

#[test]
fn only_the_one_submission_is_a_lone_one() {
    let pair = Pair::small();
    let call = Sqe { op: Op::Call as u8, method: 0xffff, user_data: 7, cap: u64::MAX, ..Sqe::default() };
    assert_eq!(plain_one(&pair, 0), None, "none");
    pair.user.submit(&call).unwrap();
    assert_eq!(plain_one(&pair, 0), Some(call));
    pair.user.submit(&call).unwrap();
    assert_eq!(plain_one(&pair, 0), None, "two");
    assert_eq!(plain_one(&pair, 1), Some(call), "the first one taken");
    pair.poke(header::SQ_TAIL, 0);
    assert_eq!(plain_one(&pair, 1), None, "a tail behind the head");
}

#[test]
fn a_call_without_message_may_name_the_very_end_of_the_arena() {
    for (off, lone) in [(ARENA - 8, true), (ARENA, true), (ARENA + 8, false), (4, false)] {
        let pair = Pair::small();
        pair.user.submit(&Sqe { op: Op::Call as u8, msg_off: off, ..Sqe::default() }).unwrap();
        assert_eq!(plain_one(&pair, 0).is_some(), lone, "{off}");
    }
}

/// Mostly nothing.
fn rarely<T: Default + Clone + core::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = T> {
    prop_oneof![8 => Just(T::default()), 1 => value]
}

fn offset() -> impl Strategy<Value = u32> {
    prop_oneof![4 => (0..=ARENA / 8).prop_map(|word| word * 8), 1 => 0..=ARENA + 64, 1 => any::<u32>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 4000 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_lone_call_is_taken_exactly_when_it_is_plain(
        first in (prop_oneof![8 => Just(Op::Call as u8), 1 => any::<u8>()], rarely(any::<u8>()), any::<u16>()),
        caps in (rarely(any::<u8>()), rarely(any::<u8>()), any::<u32>()),
        reserved in (rarely(any::<u16>()), rarely(any::<u32>())),
        message in (offset(), rarely(any::<u32>())),
        answer in (offset(), prop_oneof![0..=ARENA, any::<u32>()]),
        named in any::<(u64, u64, u64, u64)>(),
        index in any::<u32>(),
    ) {
        let ((op, flags, method), (caps_send, caps_recv, caps_off)) = (first, caps);
        let ((reserved0, reserved1), (msg_off, msg_len), (reply_off, reply_len)) = (reserved, message, answer);
        let (user_data, cap, interface, aux) = named;
        let sqe = Sqe {
            op, flags, method, caps_send, caps_recv, reserved0, user_data, cap, interface, msg_off, msg_len, reply_off,
            reply_len, caps_off, reserved1, aux,
        };
        let pair = Pair::small();
        pair.user.write_sqe(index, &sqe);
        pair.poke(header::SQ_TAIL, index.wrapping_add(1));
        let expected = if plain(&sqe) { Lone::Plain(Sqe { aux: 0, ..sqe }) } else { Lone::Other(sqe) };
        prop_assert_eq!(pair.kernel.lone(index), Some(expected));
    }
}
