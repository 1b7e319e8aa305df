//! Lines as people type them, wrong ones included.

extern crate std;
use super::{Completion, Context, Grant, Launch, LaunchError, LineError, closest, complete, split};
use std::string::{String, ToString};
use std::vec::Vec;

fn stages(line: &str) -> Vec<Vec<String>> {
    split(line).unwrap().stages
}

fn launch(line: &str) -> Result<Launch, LaunchError> {
    Launch::parse(&stages(line).into_iter().next().unwrap_or_default())
}

#[test]
fn words_are_separated_by_any_white_space() {
    assert_eq!(stages(" run\thello  a "), [["run", "hello", "a"]]);
    assert!(stages("   ").is_empty());
    assert!(stages("# nothing").is_empty());
    assert_eq!(stages("a #b"), [["a"]]);
    assert_eq!(stages("a#b"), [["a#b"]]);
}

#[test]
fn quotes_keep_things_together() {
    assert_eq!(stages(r#"echo 'a b' "c d"e f\ g"#), [["echo", "a b", "c de", "f g"]]);
    assert_eq!(stages(r#"echo '' "\"" '\' "|&#""#), [["echo", "", "\"", "\\", "|&#"]]);
}

#[test]
fn open_quotes_and_escapes_are_refused() {
    assert_eq!(split("echo 'a"), Err(LineError::OpenQuote('\'')));
    assert_eq!(split("echo \"a\\"), Err(LineError::OpenQuote('"')));
    assert_eq!(split("echo a\\"), Err(LineError::OpenEscape));
}

#[test]
fn pipelines() {
    assert_eq!(stages("a 1 | b|c"), [std::vec!["a", "1"], std::vec!["b"], std::vec!["c"]]);
    for bad in ["| a", "a |", "a || b", "|"] {
        assert_eq!(split(bad), Err(LineError::EmptyStage), "{bad}");
    }
}

#[test]
fn background_is_at_the_end_only() {
    assert!(split("run a &").unwrap().background);
    assert!(split("run a&  # why").unwrap().background);
    assert!(!split("run a").unwrap().background);
    assert_eq!(split("a & b"), Err(LineError::StrayBackground));
    assert_eq!(split("&"), Err(LineError::StrayBackground));
    assert_eq!(split("a &&"), Err(LineError::StrayBackground));
}

#[test]
fn long_lines_are_refused() {
    assert_eq!(split(&"x".repeat(5000)), Err(LineError::TooLong));
}

#[test]
fn every_error_says_something() {
    for error in
        [LineError::OpenQuote('"'), LineError::OpenEscape, LineError::EmptyStage, LineError::StrayBackground]
    {
        assert!(error.to_string().len() > 10);
    }
    for error in [LaunchError::NoProgram, LaunchError::NoGrants, LaunchError::Twice("x".into())] {
        assert!(error.to_string().len() > 10);
    }
}

#[test]
fn a_program_without_grants_gets_nothing() {
    let launch = launch("hello one two").unwrap();
    assert_eq!((launch.program.as_str(), launch.args.len(), launch.grants.len()), ("hello", 2, 0));
}

#[test]
fn grants_rename_or_keep_names() {
    let launch = launch("hello a with console=mine log,timer").unwrap();
    assert_eq!(launch.args, ["a"]);
    let grants: Vec<(&str, &str)> =
        launch.grants.iter().map(|g| (g.name.as_str(), g.mine.as_str())).collect();
    assert_eq!(grants, [("console", "mine"), ("log", "log"), ("timer", "timer")]);
    assert_eq!(launch.grants[0], Grant { name: "console".into(), mine: "mine".into() });
}

#[test]
fn bad_launches_are_refused() {
    assert_eq!(Launch::parse(&[]), Err(LaunchError::NoProgram));
    assert_eq!(launch("with console"), Err(LaunchError::NoProgram));
    assert_eq!(launch("hello with"), Err(LaunchError::NoGrants));
    assert_eq!(launch("hello with ,"), Err(LaunchError::NoGrants));
    assert_eq!(launch("hello with =x"), Err(LaunchError::BadGrant("=x".into())));
    assert_eq!(launch("hello with x="), Err(LaunchError::BadGrant("x=".into())));
    assert_eq!(launch("hello with a b=a a=c"), Err(LaunchError::Twice("a".into())));
}

#[test]
fn completion_inserts_what_is_certain() {
    let names = ["help", "halt", "hello", "caps"];
    assert_eq!(complete("c", names), Completion::Insert { text: "aps".into(), done: true });
    assert_eq!(complete("hel", names), Completion::Choices(["hello", "help"].map(String::from).to_vec()));
    assert_eq!(complete("help", names), Completion::Insert { text: String::new(), done: true });
    assert_eq!(complete("x", names), Completion::Nothing);
    assert_eq!(complete("he", names), Completion::Insert { text: "l".into(), done: false });
    assert_eq!(complete("a", ["aé1", "aé2"]), Completion::Insert { text: "é".into(), done: false });
    assert_eq!(complete("a", ["ab", "ab"]), Completion::Insert { text: "b".into(), done: true });
}

#[test]
fn suggestions_are_close_or_none() {
    let names = ["help", "caps", "services", "reboot"];
    assert_eq!(closest("hlep", names), Some("help"));
    assert_eq!(closest("hepl", names), Some("help"));
    assert_eq!(closest("service", names), Some("services"));
    assert_eq!(closest("rebot", names), Some("reboot"));
    assert_eq!(closest("zzzz", names), None);
    assert_eq!(closest("x", names), None);
    assert_eq!(closest("", names), None);
    assert_eq!(closest(&"y".repeat(1000), names), None);
}

#[test]
fn contexts_know_what_is_being_typed() {
    let context = Context::of("");
    assert_eq!((context.command(), context.begun.as_str(), context.piped), (None, "", false));
    let context = Context::of("run he");
    assert_eq!((context.command(), context.begun.as_str()), (Some("run"), "he"));
    let context = Context::of("run hello with ");
    assert!(context.granting() && context.begun.is_empty());
    let context = Context::of("run a | ru");
    assert_eq!((context.command(), context.begun.as_str(), context.piped), (None, "ru", true));
    assert!(!Context::of("run with").granting());
}
