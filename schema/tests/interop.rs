//! Our messages at the other end: the reference implementation of Cap'n Proto reads what we write, and we what it writes.

use capos_schema::log_sink::LogLevel;
use capos_schema::process_handle::ExitReason;
use capos_schema::services::ServiceState;
use capos_schema::virtual_memory::Protection;
use capos_schema::{
    Decode, DecodeError, Encode, io_port, log_reader, log_sink, process_handle, process_spawner, services,
    system_info, test_port, thread_control, timer, virtual_memory,
};
use proptest::prelude::{any, prop};
use proptest::{prop_assert_eq, proptest};

mod peer;

fn encoded(message: &impl Encode) -> Vec<u8> {
    let mut out = vec![0xaa; 8192];
    let length = message.encode(&mut out).expect("there is room");
    out.truncate(length);
    out
}

fn level() -> impl proptest::strategy::Strategy<Value = LogLevel> {
    proptest::sample::select(&LogLevel::ALL[..])
}

proptest! {
    #[test]
    fn one_word(ns: u64) {
        let ours = encoded(&timer::SleepUntilParams { ns });
        prop_assert_eq!(peer::read(&ours, |read| read.0.get_data_field::<u64>(0)), ns);
        let theirs = peer::write::<1, 0>(|write| write.word(0, ns));
        prop_assert_eq!(timer::SleepUntilParams::decode(&theirs), Ok(timer::SleepUntilParams { ns }));
    }

    #[test]
    fn small_scalars_share_a_word(offset: u16, value: u32) {
        let params = io_port::Write32Params { offset, value };
        let ours = encoded(&params);
        peer::read(&ours, |read| {
            assert_eq!(read.0.get_data_field::<u16>(0), offset);
            assert_eq!(read.0.get_data_field::<u32>(1), value);
        });
        let theirs = peer::write::<1, 0>(|write| write.word(0, u64::from(offset) | u64::from(value) << 32));
        prop_assert_eq!(io_port::Write32Params::decode(&theirs), Ok(params));
    }

    #[test]
    fn enums_are_two_bytes(address: u64, size: u64, protection in proptest::sample::select(&Protection::ALL[..])) {
        let params = virtual_memory::CommitParams { address, size, protection };
        peer::read(&encoded(&params), |read| {
            assert_eq!(read.0.get_data_field::<u64>(0), address);
            assert_eq!(read.0.get_data_field::<u64>(1), size);
            assert_eq!(read.0.get_data_field::<u16>(8), protection.to_wire());
        });
    }

    #[test]
    fn unknown_enumerants_are_told(raw in 4_u16..) {
        let theirs = peer::write::<3, 0>(|write| write.word(2, u64::from(raw)));
        let read = virtual_memory::CommitParams::decode(&theirs);
        prop_assert_eq!(read, Err(DecodeError::UnknownEnumerant(raw)));
    }

    #[test]
    fn signed_numbers_keep_their_sign(code: i64) {
        let results = process_handle::WaitResults { reason: ExitReason::Killed, code };
        peer::read(&encoded(&results), |read| {
            assert_eq!(read.0.get_data_field::<u16>(0), 1);
            assert_eq!(read.0.get_data_field::<i64>(1), code);
        });
        let theirs = peer::write::<2, 0>(|write| { write.word(0, 1); write.word(1, code.cast_unsigned()); });
        prop_assert_eq!(process_handle::WaitResults::decode(&theirs), Ok(results));
    }

    #[test]
    fn booleans_are_bits(id: u64, started: bool, ended: bool) {
        let results = process_handle::InfoResults { id, started, ended };
        peer::read(&encoded(&results), |read| {
            assert_eq!(read.0.get_data_field::<u64>(0), id);
            assert_eq!((read.0.get_bool_field(64), read.0.get_bool_field(65)), (started, ended));
        });
        prop_assert_eq!(process_handle::InfoResults::decode(&encoded(&results)), Ok(results));
    }

    #[test]
    fn texts(level in level(), text: String) {
        let params = log_sink::WriteParams { level, text: &text };
        peer::read(&encoded(&params), |read| {
            assert_eq!(read.0.get_data_field::<u16>(0), level.to_wire());
            assert_eq!(read.text(0), text);
        });
        let theirs = peer::write::<1, 1>(|write| { write.word(0, level.to_wire().into()); write.text(0, &text); });
        prop_assert_eq!(log_sink::WriteParams::decode(&theirs), Ok(params));
    }

    #[test]
    fn bytes(offset: u16, data in prop::collection::vec(any::<u8>(), 0..3000)) {
        let params = io_port::WriteBytesParams { offset, data: &data };
        peer::read(&encoded(&params), |read| {
            assert_eq!(read.0.get_data_field::<u16>(0), offset);
            assert_eq!(read.data(0), data);
        });
        let theirs = peer::write::<1, 1>(|write| { write.word(0, offset.into()); write.data(0, &data); });
        prop_assert_eq!(io_port::WriteBytesParams::decode(&theirs), Ok(params));
    }

    #[test]
    fn several_texts(name: String, fields: String) {
        let params = test_port::EventParams { name: &name, fields: &fields };
        peer::read(&encoded(&params), |read| {
            assert_eq!((read.text(0), read.text(1)), (name.clone(), fields.clone()));
        });
        let theirs = peer::write::<0, 2>(|write| { write.text(0, &name); write.text(1, &fields); });
        prop_assert_eq!(test_port::EventParams::decode(&theirs), Ok(params));
    }

    #[test]
    fn their_texts_may_lie_in_any_order(name: String, fields: String) {
        let theirs = peer::write::<0, 2>(|write| { write.text(1, &fields); write.text(0, &name); });
        let params = test_port::EventParams { name: &name, fields: &fields };
        prop_assert_eq!(test_port::EventParams::decode(&theirs), Ok(params));
    }

    #[test]
    fn capabilities_stand_before_texts(size: u64, threads: u32, priority: u8, name in "[a-z]{0,31}") {
        let params = process_spawner::CreateParams { size, threads, priority, name: &name, ..Default::default() };
        let ours = encoded(&params);
        peer::read(&ours, |read| {
            assert_eq!(read.0.get_data_field::<u64>(0), size);
            assert_eq!(read.0.get_data_field::<u32>(4), threads);
            assert_eq!(read.0.get_data_field::<u8>(32), priority);
            assert!(!read.0.get_pointer_field(0).is_null());
            assert_eq!(read.text(1), name);
        });
        prop_assert_eq!(process_spawner::CreateParams::decode(&ours), Ok(params));
    }

    #[test]
    fn fields_fill_gaps(found: bool, next: u64, lost: u64, level in level(), text: String) {
        let results = log_reader::ReadResults { found, next, lost, level, text: &text, ..Default::default() };
        let ours = encoded(&results);
        peer::read(&ours, |read| {
            assert_eq!(read.0.get_bool_field(0), found);
            assert_eq!(read.0.get_data_field::<u64>(1), next);
            assert_eq!(read.0.get_data_field::<u64>(2), lost);
            assert_eq!(read.0.get_data_field::<u16>(1), level.to_wire());
            assert_eq!(read.text(0), text);
        });
        prop_assert_eq!(log_reader::ReadResults::decode(&ours), Ok(results));
    }

    #[test]
    fn many_fields_round_trip(numbers: [u32; 3], times: [u64; 5], version: String) {
        let [cpus, processes, threads] = numbers;
        let [uptime_ns, total_pages, free_pages, kernel_pages, boot_seed] = times;
        let results = system_info::SystemResults {
            cpus, uptime_ns, total_pages, free_pages, kernel_pages, processes, threads, boot_seed, version: &version,
        };
        let ours = encoded(&results);
        prop_assert_eq!(system_info::SystemResults::decode(&ours), Ok(results));
    }

    #[test]
    fn every_state_round_trips(
        next: u32,
        state in proptest::sample::select(&ServiceState::ALL[..]),
        exit_code: i64,
        name: String,
    ) {
        let results = services::ListResults { next, state, process: 1, exit_code, name: &name, ..Default::default() };
        let ours = encoded(&results);
        prop_assert_eq!(services::ListResults::decode(&ours), Ok(results));
    }

    #[test]
    fn an_older_peer_leaves_fields_out(address: u64) {
        let theirs = peer::write::<1, 0>(|write| write.word(0, address));
        let expected = virtual_memory::CommitParams { address, ..Default::default() };
        prop_assert_eq!(virtual_memory::CommitParams::decode(&theirs), Ok(expected));
    }

    #[test]
    fn a_newer_peer_has_more_fields(text: String, more: String, word: u64) {
        let theirs = peer::write::<4, 3>(|write| {
            write.word(0, 2);
            write.word(3, word);
            write.text(2, &more);
            write.text(0, &text);
            write.data(1, more.as_bytes());
        });
        let expected = log_sink::WriteParams { level: LogLevel::Info, text: &text };
        prop_assert_eq!(log_sink::WriteParams::decode(&theirs), Ok(expected));
    }

    #[test]
    fn too_little_room_is_told_and_nothing_is_written_behind_it(text: String, room in 0_usize..200) {
        let params = log_sink::WriteParams { level: LogLevel::Warn, text: &text };
        let needed = encoded(&params).len();
        let mut out = vec![0x55; room + 64];
        let written = params.encode(&mut out[..room]);
        prop_assert_eq!(written.is_ok(), needed <= room);
        assert!(out[room..].iter().all(|byte| *byte == 0x55));
    }
}

#[test]
fn a_struct_of_defaults_is_no_bytes_for_us_and_one_null_word_for_them() {
    assert!(encoded(&thread_control::CreateParams::default()).is_empty());
    assert_eq!(encoded(&timer::SleepUntilParams::default()).len(), 16, "a single word is written as it is");
    assert!(encoded(&log_sink::WriteParams::default()).is_empty());
    assert_eq!(peer::read(&[], |read| read.0.get_data_field::<u64>(0)), 0);
    let theirs = peer::write::<0, 0>(|_| ());
    assert_eq!(timer::SleepUntilParams::decode(&theirs), Ok(timer::SleepUntilParams { ns: 0 }));
}

#[test]
fn capabilities_alone_are_one_pointer() {
    let ours = encoded(&process_handle::GrantParams);
    assert_eq!(ours.len(), 16);
    assert!(peer::read(&ours, |read| !read.0.get_pointer_field(0).is_null()));
    assert_eq!(process_handle::GrantParams::decode(&ours), Ok(process_handle::GrantParams));
    assert_eq!(process_handle::GrantParams::CAPS, [capos_schema::ANY]);
    assert_eq!(process_spawner::CreateParams::CAPS, [capos_schema::memory_object::INTERFACE_ID]);
}

#[test]
fn interfaces_are_found_by_name_and_by_id() {
    for (name, id) in capos_schema::INTERFACES {
        assert_eq!(capos_schema::interface_name(*id), Some(*name));
        assert_eq!(capos_schema::interface_id(name), Some(*id));
    }
    assert_eq!(capos_schema::interface_name(capos_schema::ANY), None);
    assert_eq!(capos_schema::interface_id("Time machine"), None);
}
