//! Rust source without what is not code: comments and literals become spaces, so that lines and columns stay.

/// What to blank.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Only code is left.
    Code,
    /// Literals stay, too: assembly is written in strings.
    CodeAndLiterals,
}

/// `source` with comments, and literals unless kept, replaced by spaces. Unterminated ones end with the file.
pub fn strip(source: &str, keep: Keep) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (length, kind) = token(rest, out.chars().next_back());
        let length = length.max(first.len_utf8());
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let blank = kind == Kind::Comment || (kind == Kind::Literal && keep == Keep::Code);
        if blank {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(piece);
        }
        rest = after;
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Length and kind of what `rest` begins with; `before` is the character before it.
fn token(rest: &str, before: Option<char>) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if rest.starts_with('"') {
        return (quoted(rest), Kind::Literal);
    }
    // `r"..."` and `br#"..."#`, but not an identifier that ends in r.
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(length) = raw_string(rest) {
        return (length, Kind::Literal);
    }
    if rest.starts_with('\'')
        && let Some(length) = character(rest)
    {
        return (length, Kind::Literal);
    }
    (1, Kind::Code)
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = true; // The opening quote does not close.
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let hashes = rest.get(prefix.len()..)?.chars().take_while(|&c| c == '#').count();
    let body = prefix.len() + hashes;
    if !rest.get(body..)?.starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let length = rest.get(body + 1..)?.find(&end).map(|at| body + 1 + at + end.len());
    Some(length.unwrap_or(rest.len()))
}

/// A character literal, told from a lifetime by its closing quote.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let close = rest.get(3..)?.find('\'')?;
        return Some(close + 4);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 1)
}

/// The line number of byte `at`.
pub fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Byte offsets at which `word` stands in `text` as a whole word.
pub fn words(text: &str, word: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| {
            let before = text.get(..at).and_then(|head| head.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|tail| tail.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        let stripped = strip(source, Keep::Code);
        assert_eq!(stripped.lines().count(), source.lines().count());
        stripped.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_go() {
        assert_eq!(code("a // b\nc /* d /* e */ f */ g\n/// h\ni"), "a c g i");
        assert_eq!(code("a /* never closed"), "a");
    }

    #[test]
    fn literals_go() {
        assert_eq!(code(r#"a("b // c", 'd', '\'', '"', '\u{1f}') e"#), "a( , , , , ) e");
        assert_eq!(code("a(r\"b\", br#\"c\"d\"#, r##\"e\"#f\"##) g"), "a( , , ) g");
        assert_eq!(code(r#"a("b\"c") d "never closed"#), "a( ) d");
    }

    #[test]
    fn lifetimes_and_names_stay() {
        assert_eq!(
            code("fn f<'a>(x: &'a str, r: R<'_>) 'outer: loop {}"),
            "fn f<'a>(x: &'a str, r: R<'_>) 'outer: loop {}"
        );
        assert_eq!(code("hdr\"x\""), "hdr");
    }

    #[test]
    fn literals_can_stay() {
        assert_eq!(strip("asm!(\"stac\") // x", Keep::CodeAndLiterals).trim(), "asm!(\"stac\")");
    }

    #[test]
    fn words_are_whole() {
        let text = "unsafe_code unsafe x.unsafe() not_unsafe";
        assert_eq!(words(text, "unsafe"), [12, 21]);
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
