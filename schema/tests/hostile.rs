//! Bytes that no honest peer sends: decoding ends in an error or in values that lie within the message, never in a panic.

use capos_schema::{
    Decode, Empty, Encode, boot_package, byte_stream, console, endpoint, io_port, log_reader, log_sink,
    memory_object, process_handle, process_spawner, services, system_info, test_port, thread_control, timer,
    virtual_memory, wall_clock,
};
use proptest::prelude::{any, prop};
use proptest::proptest;

/// What a message says to each kind of struct that there is; the borrowed parts go to `seen`.
fn decode_as_everything<'a>(message: &'a [u8], seen: &mut Vec<&'a [u8]>) -> usize {
    let mut fine = 0;
    let mut plain = |ok: bool| fine += usize::from(ok);
    plain(Empty::decode(message).is_ok());
    plain(timer::SleepUntilParams::decode(message).is_ok());
    plain(wall_clock::NowResults::decode(message).is_ok());
    plain(endpoint::MintParams::decode(message).is_ok());
    plain(io_port::SubrangeParams::decode(message).is_ok());
    plain(memory_object::InfoResults::decode(message).is_ok());
    plain(process_handle::GrantParams::decode(message).is_ok());
    plain(process_handle::WaitResults::decode(message).is_ok());
    plain(thread_control::CreateParams::decode(message).is_ok());
    plain(system_info::CpuResults::decode(message).is_ok());
    plain(virtual_memory::MapParams::decode(message).is_ok());
    let mut texts = |text: Result<&'a str, _>| seen.extend(text.ok().map(str::as_bytes));
    texts(boot_package::OpenParams::decode(message).map(|params| params.name));
    texts(console::ReadLineResults::decode(message).map(|results| results.line));
    texts(log_reader::ReadResults::decode(message).map(|results| results.text));
    texts(log_sink::WriteParams::decode(message).map(|params| params.text));
    texts(process_spawner::CreateParams::decode(message).map(|params| params.name));
    texts(services::ListResults::decode(message).map(|results| results.name));
    texts(system_info::SystemResults::decode(message).map(|results| results.version));
    texts(test_port::EventParams::decode(message).map(|params| params.name));
    texts(test_port::EventParams::decode(message).map(|params| params.fields));
    let mut bytes = |data: Result<&'a [u8], _>| seen.extend(data.ok());
    bytes(byte_stream::WriteParams::decode(message).map(|params| params.data));
    bytes(memory_object::WriteParams::decode(message).map(|params| params.data));
    bytes(process_handle::CrashResults::decode(message).map(|results| results.backtrace));
    fine
}

fn survives(message: &[u8]) {
    let mut seen = Vec::new();
    decode_as_everything(message, &mut seen);
    let whole = message.as_ptr_range();
    for part in seen.into_iter().filter(|part| !part.is_empty()) {
        let part = part.as_ptr_range();
        assert!(whole.start <= part.start && part.end <= whole.end);
    }
}

/// A word that looks like a pointer to somewhere near.
fn pointer() -> impl proptest::strategy::Strategy<Value = u64> {
    use proptest::strategy::Strategy;
    (0_u64..4, 0_u64..12, 0_u64..8, 0_u64..100)
        .prop_map(|(kind, offset, size, length)| kind | offset << 2 | size << 32 | length << 35)
}

fn root() -> impl proptest::strategy::Strategy<Value = u64> {
    use proptest::strategy::Strategy;
    (0_u64..8, 0_u64..4).prop_map(|(data, pointers)| data << 32 | pointers << 48)
}

proptest! {
    #[test]
    fn any_bytes(message in prop::collection::vec(any::<u8>(), 0..512)) {
        survives(&message);
    }

    #[test]
    fn plausible_words(first in root(), rest in prop::collection::vec(pointer(), 0..24)) {
        let words: Vec<[u8; 8]> = std::iter::once(first).chain(rest).map(u64::to_le_bytes).collect();
        survives(words.as_flattened());
    }

    #[test]
    fn one_changed_byte(text: String, name: String, at: usize, with: u8) {
        let mut out = vec![0; 4096];
        let params = test_port::EventParams { name: &name, fields: &text };
        if let Ok(length) = params.encode(&mut out) && length > 0 {
            out.truncate(length);
            out[at % length] = with;
            survives(&out);
        }
    }

    #[test]
    fn one_changed_bit_of_a_mixed_message(name in "[a-z]{1,40}", at: usize, bit in 0_u8..8) {
        let mut out = vec![0; 4096];
        let params = process_spawner::CreateParams { size: 9, name: &name, ..Default::default() };
        let length = params.encode(&mut out).expect("there is room");
        out.truncate(length);
        out[at % length] ^= 1 << bit;
        survives(&out);
    }

    #[test]
    fn every_prefix(text in "[a-z]{1,40}") {
        let mut out = vec![0; 256];
        let params = log_sink::WriteParams { text: &text, ..Default::default() };
        let length = params.encode(&mut out).expect("there is room");
        for end in 1..length {
            assert!(log_sink::WriteParams::decode(&out[..end]).is_err(), "{end} of {length}");
        }
    }
}

#[test]
fn nothing_is_a_message_of_every_kind() {
    assert_eq!(decode_as_everything(&[], &mut Vec::new()), 11);
}

#[test]
fn largest_claims_in_the_smallest_message() {
    for first in [u64::MAX << 32, u64::MAX, 0xffff_0000_0000, 0xffff_u64 << 48] {
        survives(&first.to_le_bytes());
        survives([first, u64::MAX].map(u64::to_le_bytes).as_flattened());
    }
}
