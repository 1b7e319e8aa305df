//! The layout byte by byte, and every way in which bytes can fail to be a message.

use super::{EMPTY_ROOT, Empty, Message, Pointer, root, write};
use crate::error::{DecodeError, EncodeError};
use crate::wire::{Decode, Encode};

/// The bytes of words.
fn bytes<const N: usize>(words: [u64; N]) -> [[u8; 8]; N] {
    words.map(u64::to_le_bytes)
}

/// A list pointer.
fn list(offset: u64, size: u64, length: u64) -> u64 {
    1 | (offset << 2) | (size << 32) | (length << 35)
}

#[test]
fn scalars_follow_the_root() {
    let mut out = [0xaa; 24];
    assert_eq!(write(&mut out, [7, 9], []), Ok(24));
    assert_eq!(out, *bytes([0x2_0000_0000, 7, 9]).as_flattened());
}

#[test]
fn defaults_take_no_bytes_and_no_room() {
    assert_eq!(write(&mut [], [0, 0], []), Ok(0));
    assert_eq!(write(&mut [], [0], [Pointer::Text(""), Pointer::Data(&[])]), Ok(0));
}

#[test]
fn capabilities_are_numbered_pointers() {
    let mut out = [0; 24];
    assert_eq!(write(&mut out, [], [Pointer::Capability, Pointer::Capability]), Ok(24));
    assert_eq!(out, *bytes([2 << 48, 3, 3 | 1 << 32]).as_flattened());
}

#[test]
fn text_is_terminated_and_padded() {
    let mut out = [0xaa; 32];
    assert_eq!(write(&mut out, [1], [Pointer::Text("hi")]), Ok(32));
    let words = [root(1, 1), 1, list(0, 2, 3), u64::from_le_bytes(*b"hi\0\0\0\0\0\0")];
    assert_eq!(out, *bytes(words).as_flattened());
}

#[test]
fn several_lists_lie_behind_each_other() {
    let mut out = [0xaa; 64];
    let pointers = [Pointer::Data(&[1; 9]), Pointer::Text(""), Pointer::Text("1234567")];
    assert_eq!(write(&mut out, [], pointers), Ok(56));
    let words = [root(0, 3), list(2, 2, 9), 0, list(2, 2, 8), u64::from_le_bytes([1; 8]), 1];
    assert_eq!(out.as_chunks::<8>().0[..6], bytes(words));
    assert_eq!(out[48..56], *b"1234567\0");
}

#[test]
fn a_text_of_seven_bytes_needs_one_word_and_one_of_eight_needs_two() {
    let mut out = [0; 64];
    assert_eq!(write(&mut out, [], [Pointer::Text("1234567")]), Ok(24));
    assert_eq!(write(&mut out, [], [Pointer::Text("12345678")]), Ok(32));
    assert_eq!(write(&mut out, [], [Pointer::Data(b"12345678")]), Ok(24));
}

#[test]
fn every_missing_byte_of_room_is_noticed() {
    let mut out = [0; 40];
    let pointers = [Pointer::Capability, Pointer::Text("hello")];
    assert_eq!(write(&mut out, [1], pointers), Ok(40));
    for room in 0..40 {
        assert_eq!(write(&mut out[..room], [1], pointers), Err(EncodeError::NoRoom), "{room}");
    }
}

#[test]
fn what_was_written_can_be_read() {
    let mut out = [0; 64];
    let length = write(&mut out, [5, 6], [Pointer::Capability, Pointer::Data(b"abc")]).unwrap();
    let message = Message::<2, 2>::parse(&out[..length]).unwrap();
    assert_eq!(message.data, [5, 6]);
    assert_eq!(message.capability(0), Ok(()));
    assert_eq!(message.bytes(1), Ok(&b"abc"[..]));
}

#[test]
fn nothing_is_all_defaults() {
    let message = Message::<2, 3>::parse(&[]).unwrap();
    assert_eq!(message.data, [0, 0]);
    assert_eq!((message.capability(0), message.bytes(1), message.text(2)), (Ok(()), Ok(&[][..]), Ok("")));
}

#[test]
fn half_words_are_refused() {
    for length in [1, 7, 9, 15, 17] {
        assert_eq!(Message::<1, 0>::parse(&[0; 17][..length]).unwrap_err(), DecodeError::Ragged);
    }
}

#[test]
fn roots_that_are_no_struct_behind_them_are_refused() {
    for first in [1, 2, 3, 4, 0xffff_fff8, 0x1_0000_0004, 0x1_0000_0001] {
        let words = bytes([first, 0, 0]);
        assert_eq!(
            Message::<1, 0>::parse(words.as_flattened()).unwrap_err(),
            DecodeError::BadRoot,
            "{first:#x}"
        );
    }
}

#[test]
fn null_and_empty_roots_are_all_defaults() {
    for first in [0, EMPTY_ROOT] {
        let words = bytes([first]);
        assert_eq!(Message::<2, 1>::parse(words.as_flattened()).unwrap().data, [0, 0]);
    }
}

#[test]
fn structs_that_end_behind_the_message_are_refused() {
    for (data, pointers) in [(2, 0), (1, 1), (0, 2), (0xffff, 0xffff), (0, 0xffff), (0xffff, 0)] {
        let words = bytes([root(data, pointers), 0]);
        assert_eq!(Message::<2, 0>::parse(words.as_flattened()).unwrap_err(), DecodeError::Truncated);
    }
}

#[test]
fn our_own_shape_cut_off_is_refused() {
    let words = bytes([root(2, 1), 0, 0]);
    assert_eq!(Message::<2, 1>::parse(words.as_flattened()).unwrap_err(), DecodeError::Truncated);
}

#[test]
fn a_shorter_struct_is_filled_up() {
    let words = bytes([root(1, 0), 7]);
    let message = Message::<3, 2>::parse(words.as_flattened()).unwrap();
    assert_eq!(message.data, [7, 0, 0]);
    assert_eq!((message.capability(0), message.text(1)), (Ok(()), Ok("")));
}

#[test]
fn a_longer_struct_is_cut() {
    let text = u64::from_le_bytes(*b"newer\0\0\0");
    let words = bytes([root(2, 2), 7, 8, list(1, 2, 6), 3, text]);
    let message = Message::<1, 1>::parse(words.as_flattened()).unwrap();
    assert_eq!(message.data, [7]);
    assert_eq!(message.text(0), Ok("newer"));
}

#[test]
fn pointers_of_another_kind_are_refused() {
    let wrong = [2, 3, 4, list(0, 0, 1), list(0, 1, 1), list(0, 3, 1), list(0, 6, 1), list(0, 7, 0), 1 << 40];
    for pointer in wrong {
        let words = bytes([root(0, 1), pointer, 0]);
        let message = Message::<0, 1>::parse(words.as_flattened()).unwrap();
        assert_eq!(message.bytes(0), Err(DecodeError::BadPointer), "{pointer:#x}");
        assert_eq!(message.text(0), Err(DecodeError::BadPointer), "{pointer:#x}");
    }
}

#[test]
fn capabilities_are_not_lists_and_not_structs() {
    for pointer in [1, 2, 4, 7, 3 | 1 << 2, list(0, 2, 1)] {
        let words = bytes([root(0, 1), pointer, 0]);
        let message = Message::<0, 1>::parse(words.as_flattened()).unwrap();
        assert_eq!(message.capability(0), Err(DecodeError::BadPointer), "{pointer:#x}");
    }
}

#[test]
fn lists_outside_the_message_are_refused() {
    let outside = [list(1, 2, 9), list(2, 2, 1), list(3, 2, 0), list(0, 2, 17), list(0, 2, (1 << 29) - 1)];
    for pointer in outside {
        let words = bytes([root(0, 1), pointer, 0, 0]);
        let message = Message::<0, 1>::parse(words.as_flattened()).unwrap();
        assert_eq!(message.bytes(0), Err(DecodeError::OutOfBounds), "{pointer:#x}");
    }
}

#[test]
fn an_empty_list_may_lie_at_the_very_end() {
    let words = bytes([root(0, 1), list(0, 2, 0)]);
    assert_eq!(Message::<0, 1>::parse(words.as_flattened()).unwrap().bytes(0), Ok(&[][..]));
}

#[test]
fn lists_before_the_end_of_the_struct_are_refused() {
    let back = 0x3fff_ffff;
    for pointer in [list(0, 2, 1), list(back, 2, 1), list(back - 1, 2, 1), list(1 << 29, 2, 1)] {
        let words = bytes([root(1, 2), 0, pointer, 0, 0]);
        let message = Message::<1, 2>::parse(words.as_flattened()).unwrap();
        assert_eq!(message.bytes(0), Err(DecodeError::OutOfBounds), "{pointer:#x}");
    }
}

#[test]
fn texts_must_end_and_be_utf8() {
    let read = |text: [u8; 8], length| {
        let words = bytes([root(0, 1), list(0, 2, length), u64::from_le_bytes(text)]);
        Message::<0, 1>::parse(words.as_flattened()).unwrap().text(0).map(str::len)
    };
    assert_eq!(read(*b"good\0\0\0\0", 5), Ok(4));
    assert_eq!(read(*b"good\0\0\0\0", 4), Err(DecodeError::NotTerminated));
    assert_eq!(read(*b"good\0\0\0\0", 0), Err(DecodeError::NotTerminated));
    assert_eq!(read(*b"\xff\xfe\0\0\0\0\0\0", 3), Err(DecodeError::NotUtf8));
    assert_eq!(read(*b"\xc3\xa4\0\0\0\0\0\0", 3), Ok(2));
    assert_eq!(read(*b"\xc3\0\0\0\0\0\0\0", 2), Err(DecodeError::NotUtf8));
}

#[test]
fn an_empty_text_may_be_written_out() {
    let words = bytes([root(0, 1), list(0, 2, 1), 0]);
    assert_eq!(Message::<0, 1>::parse(words.as_flattened()).unwrap().text(0), Ok(""));
}

#[test]
fn empty_messages_cost_nothing_and_skip_what_is_newer() {
    assert_eq!(Empty.encode(&mut []), Ok(0));
    assert_eq!(Empty::decode(&[]), Ok(Empty));
    assert_eq!(Empty::decode(bytes([root(1, 0), 5]).as_flattened()), Ok(Empty));
    assert_eq!(Empty::decode(&[0; 3]), Err(DecodeError::Ragged));
    assert_eq!(Empty::decode(bytes([root(1, 0)]).as_flattened()), Err(DecodeError::Truncated));
}
