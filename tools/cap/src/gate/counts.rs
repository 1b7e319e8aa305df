//! Counting what Rust's test harness says: `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, once per binary.

use super::Tally;

/// What a test skipped by its attribute is called in `.ci/skips.toml`.
const IGNORED: &str = "ignored test";

/// The sum over all binaries of one run of `cargo test`. A skipped test keeps its name and its reason.
pub fn of(output: &str) -> Tally {
    let mut tally = Tally::default();
    let mut ignored = 0;
    for line in output.lines().filter(|line| line.starts_with("test result: ")) {
        let number = |what: &str| number_before(line, what).unwrap_or(0);
        tally.passed += number(" passed");
        tally.failed += number(" failed");
        ignored += number(" ignored");
    }
    tally.skipped = output.lines().filter_map(ignored_test).take(ignored).collect();
    // Two tests that print at once may garble a line; the sums count all the same.
    tally.skipped.resize(ignored, format!("{IGNORED}: its line was not understood"));
    tally
}

/// `test frames::walks ... ignored, two megabytes` as a reason.
fn ignored_test(line: &str) -> Option<String> {
    let (name, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    Some(format!("{IGNORED}: {name}: {}", reason.trim_start_matches([',', ' '])))
}

fn number_before(line: &str, what: &str) -> Option<usize> {
    line.get(..line.find(what)?)?.rsplit([' ', ';']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_added() {
        let output = "running 3 tests\ntest a ... ok\n\
                      test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                      test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let tally = of(output);
        assert_eq!((tally.passed, tally.failed, tally.skipped.len()), (13, 2, 1));
    }

    #[test]
    fn a_skipped_test_keeps_its_reason() {
        let output = "test frames::walks ... ignored, two megabytes of bitmap\n\
                      test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(of(output).skipped, ["ignored test: frames::walks: two megabytes of bitmap"]);
    }

    #[test]
    fn other_lines_do_not_count() {
        assert_eq!(of("7 passed\nerror: test failed"), Tally::default());
    }
}
