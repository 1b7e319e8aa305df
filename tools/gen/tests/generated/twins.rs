//! The Cap'n Proto compiler as the other end of the wire: it converts between JSON and messages of structs that have the same
//! fields as the fixture's messages, so it knows their layout on its own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use capos_schema::shapes::{DefaultsParams, Mood, ScalarsParams, TextsParams};
use capos_schema::{Decode, Encode};
use proptest::prelude::any;
use proptest::strategy::Strategy;
use proptest::{prop_assert_eq, proptest};

fn convert(direction: &str, name: &str, input: &[u8]) -> Vec<u8> {
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/twins.capnp");
    let mut child = Command::new("capnp")
        .args(["convert", direction])
        .arg(schema)
        .arg(name)
        .env_remove("PWD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Cap'n Proto compiler is installed");
    child.stdin.take().expect("it is piped").write_all(input).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    output.stdout
}

/// Our message as they see it, with what is default left out.
fn to_json(name: &str, message: &impl Encode) -> String {
    let mut out = vec![0; 4096];
    let length = message.encode(&mut out).expect("there is room");
    // They do not know that nothing stands for all defaults, but that a null pointer does.
    let message = if length == 0 { &[0; 8] } else { &out[..length] };
    let json = String::from_utf8(convert("flat:json", name, message)).expect("JSON is UTF-8");
    json.split_whitespace().collect()
}

#[test]
fn they_read_our_scalars() {
    let message = ScalarsParams {
        flag: true,
        short: -2,
        half: 9,
        int: -7,
        mood: Mood::Tense,
        real: 2.5,
        ..Default::default()
    };
    let json = to_json("Scalars", &message);
    for part in
        ["\"flag\":true", "\"short\":-2", "\"half\":9", "\"int\":-7", "\"mood\":\"tense\"", "\"real\":2.5"]
    {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn they_read_our_defaults() {
    let json = to_json("Defaults", &DefaultsParams::default());
    let expected = "{\"word\":7,\"flag\":true,\"short\":-3,\"mood\":\"angry\",\"double\":1.5}";
    assert_eq!(json, expected);
    let zeroes = DefaultsParams { word: 0, flag: false, short: 0, mood: Mood::Calm, double: 0.0 };
    let expected = "{\"word\":0,\"flag\":false,\"short\":0,\"mood\":\"calm\",\"double\":0}";
    assert_eq!(to_json("Defaults", &zeroes), expected);
}

#[test]
fn we_read_their_defaults() {
    assert_eq!(DefaultsParams::decode(&[]), Ok(DefaultsParams::default()));
    assert_eq!(
        DefaultsParams::decode(&convert("json:flat", "Defaults", b"{}")),
        Ok(DefaultsParams::default())
    );
    let theirs = convert(
        "json:flat",
        "Defaults",
        b"{\"word\":8,\"flag\":false,\"short\":4,\"mood\":\"tense\",\"double\":-1}",
    );
    let expected = DefaultsParams { word: 8, flag: false, short: 4, mood: Mood::Tense, double: -1.0 };
    assert_eq!(DefaultsParams::decode(&theirs), Ok(expected));
}

#[test]
fn they_read_our_texts_and_we_theirs() {
    let message = TextsParams { first: "one", second: &[1, 2], third: "three" };
    let expected = "{\"first\":\"one\",\"second\":[1,2],\"third\":\"three\"}";
    assert_eq!(to_json("Texts", &message), expected);
    assert_eq!(TextsParams::decode(&convert("json:flat", "Texts", expected.as_bytes())), Ok(message));
}

fn scalars() -> impl Strategy<Value = ScalarsParams> {
    let left = (any::<bool>(), any::<u8>(), any::<i16>(), any::<u32>(), any::<i64>());
    let right = (any::<bool>(), any::<i8>(), any::<i32>(), any::<u16>(), any::<u64>());
    let mood = proptest::sample::select(&Mood::ALL[..]);
    (left, right, mood, any::<f32>(), any::<f64>()).prop_map(|(left, right, mood, real, double)| {
        let (flag, byte, short, word, long) = left;
        let (last, tiny, int, half, full) = right;
        ScalarsParams { flag, byte, short, word, long, real, double, last, tiny, int, half, mood, full }
    })
}

proptest! {
    #[test]
    fn scalars_of_every_kind_round_trip(message in scalars()) {
        let mut out = [0; 64];
        let length = message.encode(&mut out).expect("there is room");
        prop_assert_eq!(ScalarsParams::decode(&out[..length]), Ok(message));
    }

    #[test]
    fn defaults_round_trip(word: u32, flag: bool, short: i16, double in -1e9..1e9) {
        let message = DefaultsParams { word, flag, short, mood: Mood::Calm, double };
        let mut out = [0; 64];
        let length = message.encode(&mut out).expect("there is room");
        prop_assert_eq!(DefaultsParams::decode(&out[..length]), Ok(message));
    }

    #[test]
    fn texts_round_trip(first: String, second: Vec<u8>, third: String) {
        let message = TextsParams { first: &first, second: &second, third: &third };
        let mut out = vec![0; 8192];
        let length = message.encode(&mut out).expect("there is room");
        prop_assert_eq!(TextsParams::decode(&out[..length]), Ok(message));
    }
}
