//! The kernel never dereferences a user virtual address. So nothing in it lowers SMAP (`stac`, `clac`, the AC flag, CR4), nothing
//! copies from or to user pointers, and `kernel/core` has no raw pointers at all.

use std::sync::LazyLock;

use regex::Regex;

use super::code::{Keep, line_of, strip};
use super::{File, Finding};

/// Anywhere in the kernel.
const KERNEL: [(&str, &str); 4] = [
    (r"(?i)\b(stac|clac)\b", "lowers SMAP"),
    (r"(?i)\b\w*(copy|read|write|load|store|get|put)_?(from|to)_?user\w*", "touches user memory"),
    (r"(?s)remove\([^)]*SUPERVISOR_MODE_ACCESS_PREVENTION", "turns SMAP off"),
    (r"(?s)(insert|set)\([^)]*ALIGNMENT_CHECK", "sets the AC flag, which lowers SMAP"),
];

/// In `kernel/core` besides.
const CORE: [(&str, &str); 3] = [
    (r"\bas\s+\*(const|mut)\b", "raw pointer"),
    (
        r"\b(from_raw_parts|read_volatile|write_volatile|read_unaligned|with_exposed_provenance)\b",
        "raw memory access",
    ),
    (r"\bcore::(ptr|slice::from_raw)", "raw memory access"),
];

static PATTERNS: LazyLock<Vec<(bool, Regex, &str)>> = LazyLock::new(|| {
    let compile = |core_only: bool| {
        move |(pattern, what): &(&str, &'static str)| {
            Regex::new(pattern).ok().map(|regex| (core_only, regex, *what))
        }
    };
    KERNEL.iter().filter_map(compile(false)).chain(CORE.iter().filter_map(compile(true))).collect()
});

/// Every Rust and assembly file of the kernel.
pub fn check(files: &[File]) -> Vec<Finding> {
    let kernel = files.iter().filter(|file| {
        file.path.starts_with("kernel/")
            && [".rs", ".S", ".s", ".asm"].iter().any(|ext| file.path.ends_with(ext))
    });
    kernel.flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let code = strip(&file.text, Keep::CodeAndLiterals);
    let in_core = file.path.starts_with("kernel/core/");
    let rules = PATTERNS.iter().filter(|(core_only, ..)| in_core || !core_only);
    let mut findings = Vec::new();
    for (_, pattern, what) in rules {
        for found in pattern.find_iter(&code) {
            let text = format!("`{}`: {what}", found.as_str().lines().next().unwrap_or_default());
            findings.push(Finding::new(&file.path, line_of(&code, found.start()), text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn count(path: &str, text: &str) -> usize {
        check(&fixture(&[(path, text)])).len()
    }

    #[test]
    fn all_patterns_compile() {
        assert_eq!(PATTERNS.len(), KERNEL.len() + CORE.len());
    }

    #[test]
    fn smap_stays_up() {
        for bad in [
            "asm!(\"stac\")",
            "asm!(\"mov rax, [rdi]\", \"clac\")",
            "cr4.remove(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION)",
            "flags.insert(RFlags::ALIGNMENT_CHECK)",
            "let n = copy_from_user(buffer)?;",
            "fn read_user() {}\nread_from_user(x)",
        ] {
            assert_eq!(count("kernel/hal/src/a.rs", bad), 1, "{bad}");
        }
    }

    #[test]
    fn good_kernel_code_passes() {
        let good = "// no stac here\nlet stack = top; SFMASK.write(RFlags::ALIGNMENT_CHECK | RFlags::INTERRUPT_FLAG);\n\
                    cr4.insert(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION);";
        assert_eq!(count("kernel/hal/src/a.rs", good), 0);
        assert_eq!(count("userspace/rt/src/a.rs", "stac"), 0);
    }

    #[test]
    fn the_core_has_no_raw_pointers() {
        for bad in
            ["let p = va as *const u8;", "x as *mut T", "core::slice::from_raw_parts(p, n)", "use core::ptr;"]
        {
            assert!(count("kernel/core/src/a.rs", bad) >= 1, "{bad}");
            assert_eq!(count("kernel/hal/src/a.rs", bad), 0, "{bad}");
        }
        assert_eq!(count("kernel/core/src/a.rs", "fn f(x: *const u8)"), 0, "a type alone is harmless");
    }
}
