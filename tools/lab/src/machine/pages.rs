//! What QEMU says of the page tables: one line for each page, `address: frame flags`, a flag being a letter where it is set and a
//! dash where not. In the order of the letters: no execution, global, large, dirty, accessed, cache off, write through, user,
//! writable.

use std::fmt::Write as _;

/// Pages that are as none should be and are named in full.
const NAMED: usize = 5;
/// The lowest address of the kernel's half.
const KERNEL: u64 = 0xffff_8000_0000_0000;

struct Page<'a> {
    line: &'a str,
    address: u64,
    executable: bool,
    user: bool,
    writable: bool,
}

fn page(line: &str) -> Option<Page<'_>> {
    let (address, rest) = line.split_once(": ")?;
    let flags = rest.split_whitespace().nth(1)?.as_bytes();
    let [no_execute, _, _, _, _, _, _, user, writable] = flags else { return None };
    Some(Page {
        line,
        address: u64::from_str_radix(address, 16).ok()?,
        executable: *no_execute == b'-',
        user: *user == b'U',
        writable: *writable == b'W',
    })
}

/// How many pages there are, and how many of them are as none should be; the first of these by their lines.
pub fn digest(text: &str) -> String {
    let pages: Vec<Page<'_>> = text.lines().filter_map(page).collect();
    let count = |wanted: fn(&Page<'_>) -> bool| pages.iter().filter(|page| wanted(page)).count();
    let mut out = format!(
        "pages: {} in all, {} of the kernel, {} executable, {} writable and executable, {} of the kernel open to users\n",
        pages.len(),
        count(|page| page.address >= KERNEL),
        count(|page| page.executable),
        count(|page| page.executable && page.writable),
        count(|page| page.address >= KERNEL && page.user),
    );
    let wrong =
        |page: &&Page<'_>| (page.executable && page.writable) || (page.address >= KERNEL && page.user);
    for page in pages.iter().filter(wrong).take(NAMED) {
        let _ = writeln!(out, "{}", page.line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_should_not_be_are_counted_and_named() {
        let text = "\
0000000000400000: 0000000001000000 ----A--U-
0000000000600000: 0000000001001000 X--DA--UW
ffffffff80000000: 0000000002000000 -G--A----
ffffffff80001000: 0000000002001000 -G-DA---W
ffffffff80002000: 0000000002002000 XG-DA--UW
no page at all
";
        let digest = digest(text);
        assert!(digest.starts_with(
            "pages: 5 in all, 3 of the kernel, 3 executable, 1 writable and executable, 1 of the kernel open to users\n"
        ));
        assert_eq!(digest.lines().skip(1).collect::<Vec<_>>().len(), 2);
        assert!(digest.contains("ffffffff80001000"));
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(digest("").starts_with("pages: 0 in all"));
    }
}
