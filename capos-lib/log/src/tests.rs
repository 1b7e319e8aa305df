//! The ring against a model that forgets nothing, and the budget against its promise.

use crate::record::{Header, RECORD_OVERHEAD};
use crate::{Level, LogBudget, LogRing, NewRecord, Record};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::format;
use std::string::String;
use std::vec::Vec;

/// Fewer cases under Miri, and no files, which it forbids.
fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 4 } else { 512 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn record(process: u64, text: &str) -> NewRecord<'_> {
    NewRecord { time_ns: process * 10, process, level: Level::Info, text }
}

/// Miri is some hundred times slower, so it gets shorter runs of the same.
fn rounds(native: u64) -> u64 {
    if cfg!(miri) { native / 50 } else { native }
}

fn texts<const N: usize>(log: &LogRing<N>, mut cursor: u64) -> Vec<String> {
    let (mut out, mut buffer) = (Vec::new(), [0; 512]);
    while let Some(Record { text, next, .. }) = log.read(cursor, &mut buffer) {
        out.push(String::from(text));
        cursor = next;
    }
    out
}

#[test]
fn an_empty_log_has_nothing_at_any_cursor() {
    let log = LogRing::<256>::new();
    for cursor in [0, 1, u64::MAX] {
        assert_eq!(log.read(cursor, &mut [0; 8]), None);
    }
    assert_eq!((log.next_cursor(), log.tail_cursor(5)), (0, 0));
}

#[test]
fn a_record_comes_back_as_it_was_written() {
    let mut log = LogRing::<256>::new();
    let new = NewRecord { time_ns: u64::MAX, process: 7, level: Level::Warn, text: "grün" };
    log.append(&new);
    let mut out = [0; 16];
    let got = log.read(0, &mut out).unwrap();
    assert_eq!((got.time_ns, got.process, got.level, got.text), (u64::MAX, 7, Level::Warn, "grün"));
    assert_eq!((got.next, got.lost), (1, 0));
    assert_eq!(log.read(1, &mut [0; 16]), None);
}

#[test]
fn an_empty_text_is_a_record() {
    let mut log = LogRing::<256>::new();
    log.append(&record(1, ""));
    assert_eq!(log.read(0, &mut []).map(|it| (it.process, it.text)), Some((1, "")));
}

#[test]
fn the_oldest_records_go_first_and_are_counted() {
    let mut log = LogRing::<256>::new();
    for n in 0..20 {
        log.append(&record(n, &format!("number {n:02}")));
    }
    // 33 bytes each, so seven fit.
    assert_eq!(texts(&log, 0).len(), 7);
    let mut out = [0; 16];
    let got = log.read(5, &mut out).unwrap();
    assert_eq!((got.text, got.lost, got.next), ("number 13", 8, 14));
    assert_eq!(log.read(15, &mut out).map(|it| (it.lost, it.process)), Some((0, 15)));
}

#[test]
fn a_reader_that_waits_misses_nothing_that_still_fits() {
    let mut log = LogRing::<512>::new();
    let mut cursor = log.next_cursor();
    for n in 0..rounds(1000) {
        log.append(&record(n, "tick"));
        let mut out = [0; 8];
        let got = log.read(cursor, &mut out).unwrap();
        assert_eq!((got.process, got.lost), (n, 0));
        cursor = got.next;
    }
}

#[test]
fn a_cursor_from_the_future_waits() {
    let mut log = LogRing::<256>::new();
    log.append(&record(1, "x"));
    assert_eq!(log.read(2, &mut [0; 8]), None);
    assert_eq!(log.read(u64::MAX, &mut [0; 8]), None);
}

#[test]
fn the_tail_is_the_newest_records() {
    let mut log = LogRing::<4096>::new();
    for n in 0..10 {
        log.append(&record(n, &format!("{n}")));
    }
    assert_eq!(texts(&log, log.tail_cursor(3)), ["7", "8", "9"]);
    assert_eq!(texts(&log, log.tail_cursor(100)).len(), 10);
    assert_eq!(texts(&log, log.tail_cursor(0)).len(), 0);
}

#[test]
fn long_texts_are_cut_between_characters() {
    let mut log = LogRing::<256>::new();
    let long: String = core::iter::repeat_n('€', 100).collect();
    log.append(&record(1, &long));
    let mut out = [0; 256];
    // 64 bytes are 21 characters of three bytes.
    assert_eq!(log.read(0, &mut out).unwrap().text.chars().count(), 21);
    let mut small = [0; 8];
    assert_eq!(log.read(0, &mut small).unwrap().text, "€€");
}

#[test]
fn records_lie_across_the_end_of_the_buffer() {
    let mut log = LogRing::<100>::new();
    for n in 0..rounds(1000) {
        let text = format!("{n:05}");
        log.append(&record(n, &text));
        let mut out = [0; 8];
        assert_eq!(log.read(n, &mut out).unwrap().text, text);
    }
}

#[test]
fn marks_find_every_record_of_a_large_log() {
    // Under Miri a log that is smaller in the same measure.
    let mut log = LogRing::<{ if cfg!(miri) { 4096 } else { 65_536 } }>::new();
    let records = rounds(10_000);
    for n in 0..records {
        log.append(&record(n, if n % 3 == 0 { "" } else { "some text" }));
    }
    let mut out = [0; 16];
    for n in log.tail_cursor(u64::MAX)..records {
        assert_eq!(log.read(n, &mut out).unwrap().process, n);
    }
}

#[test]
fn headers_round_trip() {
    for level in Level::ALL {
        let header = Header { time_ns: 1 << 40, process: u64::MAX - 1, text_len: 77, level };
        let again = Header::from_bytes(&header.to_bytes());
        assert_eq!(
            (again.time_ns, again.process, again.text_len, again.level),
            (1 << 40, u64::MAX - 1, 77, level)
        );
    }
    assert_eq!(Level::from_byte(200), Level::Debug);
}

#[test]
fn levels_have_distinct_names() {
    let names = Level::ALL.map(Level::name);
    assert_eq!(names, ["error", "warn", "info", "debug"]);
    assert!(Level::Error < Level::Debug);
}

#[test]
fn a_budget_gives_one_second_at_once_and_then_the_rate() {
    let mut budget = LogBudget::new(1000);
    let text = 100 - RECORD_OVERHEAD as u64;
    assert!((0..10).all(|_| budget.take(0, text)));
    assert!(!budget.take(0, text));
    assert!(!budget.take(99_999_999, text));
    assert!(budget.take(100_000_000, text));
    assert_eq!(budget.refused(), 2);
}

#[test]
fn asking_often_loses_no_fraction() {
    let mut budget = LogBudget::new(1000);
    assert!(budget.take(0, 1000 - RECORD_OVERHEAD as u64));
    // A thousandth of a byte at a time.
    let asks = rounds(100_000);
    let taken = (1..=asks).filter(|n| budget.take(n * 1000, 0)).count() as u64;
    assert_eq!(taken, asks / 1000 / RECORD_OVERHEAD as u64);
}

#[test]
fn a_pause_fills_the_bucket_only_to_its_brim() {
    let mut budget = LogBudget::new(50);
    assert!(budget.take(3_600_000_000_000, 50 - RECORD_OVERHEAD as u64));
    assert!(!budget.take(3_600_000_000_000, 0));
}

#[test]
fn a_clock_that_goes_backward_or_to_its_end_is_harmless() {
    let mut budget = LogBudget::new(u64::MAX);
    assert!(budget.take(1_000, 1));
    assert!(budget.take(0, 1));
    assert!(budget.take(u64::MAX, u64::MAX / 2));
    let mut nothing = LogBudget::new(0);
    assert!(!nothing.take(u64::MAX, 0));
    assert!(!nothing.take(u64::MAX, u64::MAX));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_read_is_the_end_of_what_was_written(lengths in prop::collection::vec(0usize..120, 1..if cfg!(miri) { 20 } else { 80 }), cursor in 0u64..100) {
        let mut log = LogRing::<400>::new();
        let texts: Vec<String> = lengths.iter().enumerate().map(|(n, len)| format!("{n:0len$}")).collect();
        for (n, text) in texts.iter().enumerate() {
            log.append(&record(n as u64, text));
        }
        let mut out = [0; 512];
        match log.read(cursor, &mut out) {
            None => assert!(cursor >= texts.len() as u64),
            Some(got) => {
                let number = cursor + got.lost;
                assert_eq!(got.next, number + 1);
                assert_eq!(got.process, number);
                let text = &texts[number as usize];
                assert_eq!(got.text, &text[..text.len().min(LogRing::<400>::TEXT_MAX)]);
                if got.lost > 0 {
                    assert_eq!(log.tail_cursor(u64::MAX), number);
                }
            }
        }
    }

    #[test]
    fn a_reader_in_step_sees_every_record_once(bursts in prop::collection::vec(0u64..12, 1..if cfg!(miri) { 8 } else { 40 })) {
        let mut log = LogRing::<300>::new();
        let (mut written, mut seen, mut lost, mut cursor) = (0u64, 0u64, 0u64, 0u64);
        for burst in bursts {
            for _ in 0..burst {
                log.append(&record(written, "abc"));
                written += 1;
            }
            let mut out = [0; 8];
            while let Some(got) = log.read(cursor, &mut out) {
                (seen, lost, cursor) = (seen + 1, lost + got.lost, got.next);
            }
        }
        assert_eq!(seen + lost, written);
    }

    #[test]
    fn no_budget_is_exceeded_over_any_stretch(rate in 1u64..10_000, asks in prop::collection::vec((0u64..300_000_000, 0u64..500), 1..if cfg!(miri) { 20 } else { 100 })) {
        let mut budget = LogBudget::new(rate);
        let (mut now, mut taken) = (0u64, 0u128);
        for (pause, len) in asks {
            now += pause;
            if budget.take(now, len) {
                taken += u128::from(len) + RECORD_OVERHEAD as u128;
            }
            let most = u128::from(rate) + u128::from(rate) * u128::from(now) / 1_000_000_000;
            assert!(taken <= most);
        }
    }

    #[test]
    fn any_cursor_and_any_buffer_are_safe(cursor in any::<u64>(), room in 0usize..64, count in 0u64..50) {
        let mut log = LogRing::<200>::new();
        (0..count).for_each(|n| log.append(&record(n, "héllo wörld")));
        let mut out = [0; 64];
        let got = log.read(cursor, &mut out[..room]);
        assert_eq!(got.is_some(), cursor < count);
    }
}
