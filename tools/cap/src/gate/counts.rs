//! Counting what Rust's test harness says: `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, once per binary.

use super::Tally;

/// The sum over all binaries of one run of `cargo test`.
pub fn of(output: &str) -> Tally {
    let mut tally = Tally::default();
    let mut ignored = 0;
    for line in output.lines().filter(|line| line.starts_with("test result: ")) {
        let number = |what: &str| number_before(line, what).unwrap_or(0);
        tally.passed += number(" passed");
        tally.failed += number(" failed");
        ignored += number(" ignored");
    }
    // An ignored test has its reason in its attribute; Miri's are run by other steps.
    tally.skipped = vec!["ignored test, see its attribute".to_owned(); ignored];
    tally
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
    fn other_lines_do_not_count() {
        assert_eq!(of("7 passed\nerror: test failed"), Tally::default());
    }
}
