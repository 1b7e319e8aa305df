//! Unsafe has rooms. Outside of them the word does not appear in code, not even in an attribute or a macro.

use super::code::{Keep, line_of, strip, words};
use super::{File, Finding};

/// The crates that may hold unsafe code, each with a reason in its manifest.
const ROOMS: [&str; 5] =
    ["kernel/hal/", "kernel/handoff/", "userspace/rt/", "userspace/kit/", "capos-lib/ring/"];

/// Whether a file lies in a room for unsafe code.
pub fn may_hold_unsafe(path: &str) -> bool {
    ROOMS.iter().any(|room| path.starts_with(room))
}

/// Every Rust file outside the rooms.
pub fn check(files: &[File]) -> Vec<Finding> {
    let outside = files.iter().filter(|file| file.path.ends_with(".rs") && !may_hold_unsafe(&file.path));
    outside.flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let code = strip(&file.text, Keep::Code);
    let found = words(&code, "unsafe").into_iter();
    found.map(|at| Finding::new(&file.path, line_of(&code, at), "`unsafe` outside its rooms")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&fixture(&[(path, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_word_is_found_in_code() {
        assert_eq!(
            lines("kernel/core/src/a.rs", "fn f() {\n    unsafe { g() }\n}\n#[unsafe(no_mangle)]\n"),
            [2, 4]
        );
    }

    #[test]
    fn comments_texts_and_longer_names_are_fine() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nconst X: &str = \"unsafe\"; /* unsafe */ let unsafe_looking = 1;";
        assert!(lines("kernel/core/src/a.rs", text).is_empty());
    }

    #[test]
    fn rooms_may() {
        assert!(lines("kernel/hal/src/a.rs", "unsafe {}").is_empty());
        assert!(lines("userspace/rt/src/a.rs", "unsafe {}").is_empty());
        assert_eq!(lines("userspace/apps/a.rs", "unsafe {}"), [1]);
        assert_eq!(lines("capos-lib/ringing/src/a.rs", "unsafe {}"), [1]);
    }
}
