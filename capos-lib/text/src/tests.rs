//! What people and programs get to read.

extern crate std;
use super::{Align, Object, Report, Table, Value, duration, http_date, pages, size, timestamp};
use std::string::String;

#[test]
fn sizes() {
    for (bytes, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (100 << 20, "100 MiB"),
        ((6 << 30) + (512 << 20), "6.5 GiB"),
        (u64::MAX, "16777215 TiB"),
    ] {
        assert_eq!(size(bytes), text);
    }
    assert_eq!(pages(256), "1 MiB");
    assert_eq!(pages(u64::MAX), "16777215 TiB");
}

#[test]
fn durations() {
    for (ns, text) in [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_500, "1.50 µs"),
        (12_340_000, "12.3 ms"),
        (130_000_000, "130 ms"),
        (1_000_000_000, "1 s"),
        (59_990_000_000, "59.9 s"),
        (125_000_000_000, "2 min 5 s"),
        (3_600_000_000_000, "1 h 0 min"),
        (100 * 3_600_000_000_000, "4 d 4 h"),
    ] {
        assert_eq!(duration(ns), text);
    }
}

#[test]
fn timestamps() {
    for (seconds, text) in [
        (0, "1970-01-01 00:00:00"),
        (951_782_399, "2000-02-28 23:59:59"),
        (951_782_400, "2000-02-29 00:00:00"),
        (1_709_251_199, "2024-02-29 23:59:59"),
        (1_709_251_200, "2024-03-01 00:00:00"),
        (1_795_228_267, "2026-11-21 02:31:07"),
        (4_107_542_400, "2100-03-01 00:00:00"),
    ] {
        assert_eq!(timestamp(seconds * 1_000_000_000), text);
    }
}

#[test]
fn tables_line_up_and_leave_no_spaces_behind() {
    let mut table = Table::new(&[("ID", Align::Right), ("NAME", Align::Left), ("STATE", Align::Left)]);
    assert!(table.is_empty());
    table.row(["1", "init", "running"].map(String::from));
    table.row(["1234", "é", ""].map(String::from));
    assert_eq!(table.render(), "  ID  NAME  STATE\n   1  init  running\n1234  é\n");
}

#[test]
fn rows_of_any_length_are_taken() {
    let mut table = Table::new(&[("A", Align::Left), ("B", Align::Left)]);
    table.row([]);
    table.row(["1", "2", "3"].map(String::from));
    assert_eq!(table.render(), "A  B\n\n1  2\n");
}

#[test]
fn objects_keep_their_order() {
    let line =
        Object::new().text("name", "init").number("pid", 1u32).flag("up", true).raw("list", "[1,2]").finish();
    assert_eq!(line, r#"{"name":"init","pid":1,"up":true,"list":[1,2]}"#);
    assert_eq!(Object::new().finish(), "{}");
}

#[test]
fn numbers_of_any_size() {
    let line = Object::new().number("big", u64::MAX).number("small", i64::MIN).finish();
    assert_eq!(line, r#"{"big":18446744073709551615,"small":-9223372036854775808}"#);
}

#[test]
fn hostile_text_stays_one_line() {
    let line = Object::new().text("t\"", "a\"b\\c\nd\r\t\x00\x1b[2J\x7fé").finish();
    assert_eq!(line, "{\"t\\\"\":\"a\\\"b\\\\c\\nd\\r\\t\\u0000\\u001b[2J\\u007fé\"}");
    assert!(!line.contains('\n'));
}

#[test]
fn reports_are_tables_and_json_lines() {
    let mut report =
        Report::new("cpu", &[("index", Align::Right), ("idle_ns", Align::Right), ("name", Align::Left)]);
    report.row([Value::number(0), Value::Span(1_500_000), Value::text("a\nb")]);
    report.row([Value::number(1), Value::Span(0), Value::text("c")]);
    assert_eq!(report.table(), "INDEX  IDLE NS  NAME\n    0  1.50 ms  a b\n    1     0 ns  c\n");
    let json = report.json();
    assert_eq!(json.lines().next(), Some(r#"{"kind":"cpu","index":0,"idle_ns":1500000,"name":"a\nb"}"#));
    assert_eq!(json.lines().count(), 2);
}

#[test]
fn a_report_of_one_stands_upright() {
    let names = ["a", "free_pages", "c", "d", "up"].map(|name| (name, Align::Left));
    let facts = [Value::number(1), Value::Pages(256), Value::Hex(10, 4), Value::text("x"), Value::Flag(true)];
    let report = Report::of_one("status", &names, facts);
    assert_eq!(
        report.table(),
        "a           1\nfree pages  1 MiB\nc           000a\nd           x\nup          yes\n"
    );
    assert!(report.json().contains("\"free_pages\":256,\"c\":10"));
}

#[test]
fn reports_are_bounded_and_say_so() {
    let mut report = Report::new("x", &[("n", Align::Left)]);
    for n in 0..Report::MAX_ROWS + 5 {
        report.row([Value::number(n as u64)]);
    }
    assert!(report.is_full());
    assert!(report.table().ends_with("... and 5 more\n"));
    assert!(report.json().ends_with("{\"kind\":\"left_out\",\"rows\":5}\n"));
}

#[test]
fn what_there_is_not_is_null_for_programs() {
    let mut report = Report::new("line", &[("gsi", Align::Right), ("name", Align::Left)]);
    report.row([Value::Nothing, Value::text("x")]);
    assert_eq!(report.table(), "GSI  NAME\n     x\n");
    assert_eq!(report.json(), "{\"kind\":\"line\",\"gsi\":null,\"name\":\"x\"}\n");
}

#[test]
fn dates_as_http_has_them() {
    assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(http_date(1_709_164_799), "Wed, 28 Feb 2024 23:59:59 GMT");
    assert_eq!(http_date(1_709_164_800), "Thu, 29 Feb 2024 00:00:00 GMT");
}
