//! What may have been meant.

use super::config;
use crate::suggest::{did_you_mean, distance, nearest};
use alloc::string::String;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

#[test]
fn distances() {
    for (a, b, expected) in [
        ("", "", 0),
        ("", "abc", 3),
        ("consol", "console", 1),
        ("cosnole", "console", 1),
        ("kitten", "sitting", 3),
        ("abc", "cba", 2),
    ] {
        assert_eq!(distance(a, b), expected, "{a} {b}");
        assert_eq!(distance(b, a), expected, "{b} {a}");
    }
}

#[test]
fn the_nearest_of_several() {
    assert_eq!(nearest("tmer", ["power", "timer", "wall_clock"]), Some("timer"));
    assert_eq!(nearest("log", ["log_reader", "log"]), None);
    assert_eq!(nearest("logs", ["log_reader", "log"]), Some("log"));
}

#[test]
fn nothing_is_better_than_nonsense() {
    assert_eq!(nearest("network", ["power", "timer"]), None);
    assert_eq!(nearest("", ["a"]), None);
    assert_eq!(nearest(&"a".repeat(10_000), ["aaaa"]), None);
    assert_eq!(did_you_mean("x", []), None);
}

#[test]
fn as_a_question() {
    assert_eq!(did_you_mean("timr", ["timer"]).as_deref(), Some(r#"did you mean "timer"?"#));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn one_edit_is_one_step(word in "[a-z]{1,12}", at in 0usize..12, letter in proptest::char::range('a', 'z')) {
        let at = at % (word.len() + 1);
        let mut changed = String::from(&word);
        changed.insert(at, letter);
        prop_assert_eq!(distance(&word, &changed), 1);
        changed.remove(at);
        prop_assert_eq!(distance(&word, &changed), 0);
    }

    #[test]
    fn never_more_than_the_longer_word(a in ".{0,12}", b in ".{0,12}") {
        let distance = distance(&a, &b);
        prop_assert!(distance <= a.chars().count().max(b.chars().count()));
        prop_assert_eq!(distance == 0, a == b);
    }
}
