//! Submissions as the kernel reads them word by word, and which of them are the only ones.

use super::Pair;
use crate::Span;
use capos_abi::ring::header;
use capos_abi::{Op, Sqe};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

const ARENA: u32 = 4096;

/// The submission that waits alone, if it is a call without flags and capabilities.
fn lone_call(pair: &Pair, head: u32) -> Option<Sqe> {
    pair.kernel.lone(head).filter(|kind| kind.is(Op::Call))?;
    Some(pair.kernel.read_sqe(head))
}

#[test]
fn only_the_one_submission_is_a_lone_one() {
    let pair = Pair::small();
    let call = Sqe { op: Op::Call as u8, method: 0xffff, user_data: 7, cap: u64::MAX, ..Sqe::default() };
    assert_eq!(lone_call(&pair, 0), None, "none");
    pair.user.submit(&call).unwrap();
    assert_eq!(lone_call(&pair, 0), Some(call));
    pair.user.submit(&call).unwrap();
    assert_eq!(lone_call(&pair, 0), None, "two");
    assert_eq!(lone_call(&pair, 1), Some(call), "the first one taken");
    pair.poke(header::SQ_TAIL, 0);
    assert_eq!(lone_call(&pair, 1), None, "a tail behind the head");
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

fn length() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0), 4 => 0..=ARENA, 1 => any::<u32>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 4000 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_lone_submission_is_read_as_it_is_written(
        first in (prop_oneof![Just(Op::Call as u8), Just(Op::ReturnRecv as u8), any::<u8>()], rarely(any::<u8>()), any::<u16>()),
        caps in (rarely(any::<u8>()), rarely(any::<u8>()), any::<u32>()),
        reserved in (rarely(any::<u16>()), any::<u32>()),
        message in any::<(u32, u32)>(),
        answer in any::<(u32, u32)>(),
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
        let kind = pair.kernel.lone(index).unwrap();
        let bare = [flags, caps_send] == [0; 2] && reserved0 == 0;
        for known in [Op::Call, Op::ReturnRecv] {
            prop_assert_eq!(kind.is_with_room(known), bare && op == known as u8);
            prop_assert_eq!(kind.is(known), bare && caps_recv == 0 && op == known as u8);
        }
        let words = (kind.op(), kind.flags(), kind.method(), kind.caps_send(), kind.caps_recv(), kind.reserved());
        prop_assert_eq!(words, (op, flags, method, caps_send, caps_recv, reserved0));
        let queued = pair.kernel.queued(index);
        prop_assert_eq!(queued.read(), sqe);
        prop_assert_eq!((queued.kind(), queued.user_data(), queued.cap()), (kind, user_data, cap));
        prop_assert_eq!((queued.interface(), queued.aux()), (interface, aux));
        prop_assert_eq!(queued.message(), Span::new(msg_off, msg_len));
        prop_assert_eq!(queued.answer(), Span::new(reply_off, reply_len));
        prop_assert_eq!(queued.caps(), u64::from(caps_off) | u64::from(reserved1) << 32);
    }

    #[test]
    fn the_arena_holds_what_lies_inside_and_begins_at_words(
        message in (offset(), length()),
        answer in (offset(), length()),
    ) {
        let inside = |(off, len): (u32, u32)| {
            off.is_multiple_of(8) && u64::from(off) + u64::from(len) <= u64::from(ARENA)
        };
        let pair = Pair::small();
        let [at, to] = [message, answer].map(|(off, len)| Span::new(off, len));
        prop_assert_eq!(((at.off(), at.len()), at.is_empty()), (message, message.1 == 0));
        prop_assert_eq!(pair.kernel.hold(at, to), inside(message) && inside(answer));
        let nothing = message.1 == 0 && inside(message);
        prop_assert_eq!(pair.kernel.hold_answer(at, to), nothing && inside(answer));
    }
}
