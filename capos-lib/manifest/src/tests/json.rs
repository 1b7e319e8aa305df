//! The reader of JSON.

use super::config;
use crate::export::Json;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

fn text(text: &str) -> Json {
    Json::Text(text.to_string())
}

#[track_caller]
fn refused(input: &str, expected: &str) {
    let error = Json::parse(input).unwrap_err().to_string();
    assert_eq!(error, expected, "{input}");
}

#[test]
fn values_of_every_kind() {
    assert_eq!(Json::parse(" null "), Ok(Json::Null));
    assert_eq!(Json::parse("true"), Ok(Json::Bool(true)));
    assert_eq!(Json::parse("false"), Ok(Json::Bool(false)));
    assert_eq!(Json::parse("0"), Ok(Json::Number(0)));
    assert_eq!(Json::parse("18446744073709551615"), Ok(Json::Number(u64::MAX)));
    assert_eq!(Json::parse("[]"), Ok(Json::List(Vec::new())));
    assert_eq!(Json::parse("[1, \"a\"]"), Ok(Json::List([Json::Number(1), text("a")].into())));
    assert_eq!(Json::parse("{}"), Ok(Json::Object(Vec::new())));
    assert_eq!(
        Json::parse("\t{\"a\" :\r\n1}"),
        Ok(Json::Object([("a".to_string(), Json::Number(1))].into()))
    );
}

#[test]
fn members_keep_their_order() {
    let value = Json::parse(r#"{"z": 1, "a": 2, "m": 3}"#).unwrap();
    let names: Vec<&str> = value.members().unwrap().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
    assert_eq!(value.get("a"), Some(&Json::Number(2)));
    assert_eq!(value.get("b"), None);
    assert_eq!(Json::Null.get("a"), None);
}

#[test]
fn escapes() {
    let all = r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00é""#;
    assert_eq!(Json::parse(all), Ok(text("\"\\/\u{8}\u{c}\n\r\tAé😀é")));
}

#[test]
fn errors_say_where() {
    refused("", "line 1, column 1: the text ends where a value should be");
    refused("{\n  \"a\": 1,\n  \"a\": 2\n}", "line 3, column 6: this name is there twice");
    refused("[1, 2", "line 1, column 6: a list goes on with , or ends with ]");
    refused("[1,]", "line 1, column 4: this begins no value");
    refused("{\"a\": 1 \"b\"}", "line 1, column 9: an object goes on with , or ends with }");
    refused("{\"a\" 1}", "line 1, column 6: a : follows a name");
    refused("{a: 1}", "line 1, column 2: a member begins with its name in quotes");
    refused("1 2", "line 1, column 3: there is more behind the value");
    refused("nul", "line 1, column 1: this begins no value");
    refused("\u{feff}1", "line 1, column 1: this begins no value");
}

#[test]
fn numbers_are_whole_and_fit() {
    refused("-1", "line 1, column 1: a negative number; no value of a manifest is negative");
    refused("1.5", "line 1, column 2: a fraction; all values of a manifest are whole");
    refused("1e3", "line 1, column 2: a fraction; all values of a manifest are whole");
    refused("007", "line 1, column 4: a number that begins with 0");
    refused("18446744073709551616", "line 1, column 21: a number that is too large");
}

#[test]
fn broken_strings() {
    refused("\"a", "line 1, column 3: the text ends inside of a string");
    refused("\"a\\", "line 1, column 4: the text ends inside of a string");
    refused("\"\\x\"", "line 1, column 3: there is no such escape");
    refused("\"a\nb\"", "line 2, column 1: a control character inside of a string");
    for half in
        [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00""#, r#""\u12""#, r#""\u+123""#]
    {
        assert!(Json::parse(half).is_err(), "{half}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Json::parse(&nested(32)).is_ok());
    refused(&nested(33), "line 1, column 33: this is nested too deeply");
    assert!(Json::parse(&"[".repeat(1_000_000)).is_err());
}

#[test]
fn changes_are_laid_over_as_deep_as_asked() {
    let old = Json::parse(r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}"#).unwrap();
    let change = Json::parse(r#"{"a": {"b": {"c": 5}, "g": 6}, "f": null}"#).unwrap();
    let expected = |text| Json::parse(text).unwrap();
    assert_eq!(old.changed(&change, 0), change);
    assert_eq!(old.changed(&change, 1), expected(r#"{"a": {"b": {"c": 5}, "g": 6}}"#));
    assert_eq!(old.changed(&change, 2), expected(r#"{"a": {"b": {"c": 5}, "e": 3, "g": 6}}"#));
    assert_eq!(old.changed(&change, 3), expected(r#"{"a": {"b": {"c": 5, "d": 2}, "e": 3, "g": 6}}"#));
}

/// Any value, as its text.
fn a_value() -> impl Strategy<Value = (Json, String)> {
    let plain = prop_oneof![
        Just((Json::Null, "null".to_string())),
        any::<bool>().prop_map(|flag| (Json::Bool(flag), flag.to_string())),
        any::<u64>().prop_map(|number| (Json::Number(number), number.to_string())),
        "[a-z é]{0,8}".prop_map(|word| (text(&word), alloc::format!("\"{word}\""))),
    ];
    plain.prop_recursive(4, 32, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(|items| {
            let texts: Vec<&str> = items.iter().map(|(_, text)| text.as_str()).collect();
            let text = alloc::format!("[{}]", texts.join(" , "));
            (Json::List(items.into_iter().map(|(value, _)| value).collect()), text)
        });
        let object = prop::collection::btree_map("[a-z]{0,5}", inner, 0..4).prop_map(|members| {
            let texts: Vec<String> =
                members.iter().map(|(name, (_, text))| alloc::format!("\"{name}\":{text}")).collect();
            let text = alloc::format!("{{{}}}", texts.join(","));
            (Json::Object(members.into_iter().map(|(name, (value, _))| (name, value)).collect()), text)
        });
        prop_oneof![list, object]
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_value_is_read((value, text) in a_value()) {
        prop_assert_eq!(Json::parse(&text), Ok(value));
    }

    #[test]
    fn any_text(text in "\\PC{0,64}") {
        let _ = Json::parse(&text);
    }

    #[test]
    fn any_text_of_json_characters(text in "[\\[\\]{}:,\"0-9truefalsnl\\\\ ]{0,64}") {
        let _ = Json::parse(&text);
    }
}
