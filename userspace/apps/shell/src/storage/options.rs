//! Options in front of names.

use super::path::shown;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;

/// The letters of options that stand in front, of those that the command knows, and the words behind them. `--` ends options.
pub fn options<'w>(
    command: &str,
    known: &str,
    words: &'w [String],
) -> Result<(String, &'w [String]), Trouble> {
    let (mut letters, mut rest) = (String::new(), words);
    while let Some((word, behind)) = rest.split_first() {
        let Some(option) = word.strip_prefix('-').filter(|option| !option.is_empty()) else { break };
        rest = behind;
        if option == "-" {
            break;
        }
        if !option.chars().all(|letter| known.contains(letter)) {
            return Err(Trouble::Say(format!(
                "`{command}` has no option {}; names that begin with `-` stand behind `--`",
                shown(word)
            )));
        }
        letters.push_str(option);
    }
    Ok((letters, rest))
}

#[cfg(test)]
mod tests {
    use super::options;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn read(words: &str) -> Option<(String, String)> {
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        options("rm", "rf", &words).ok().map(|(letters, rest)| (letters, rest.join(" ")))
    }

    #[test]
    fn options_stand_in_front() {
        let found = |letters: &str, rest: &str| Some((letters.into(), rest.into()));
        assert_eq!(read("a -r"), found("", "a -r"));
        assert_eq!(read("-rf a b"), found("rf", "a b"));
        assert_eq!(read("-r -f a"), found("rf", "a"));
        assert_eq!(read("-r -- -f"), found("r", "-f"));
        assert_eq!(read("- a"), found("", "- a"));
        for unknown in ["-l a", "-rl a", "--recursive a", "-é a"] {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }
}
