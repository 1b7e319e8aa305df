//! The chapter on drivers says that it shows the whole driver; the lint sees to it that what it shows is so.

const PAGE: &str = include_str!("../../../docs/src/write-a-driver.md");
const DRIVER: [&str; 4] = [
    include_str!("../../../userspace/drivers/rng/src/main.rs"),
    include_str!("../../../userspace/drivers/rng/src/device.rs"),
    include_str!("../../../userspace/drivers/rng/src/feed.rs"),
    include_str!("../../../userspace/drivers/rng/src/stream.rs"),
];

/// What the chapter leaves out: how files begin.
fn is_code(line: &str) -> bool {
    !["//!", "#![", "use ", "mod ", "extern crate "].iter().any(|begin| line.starts_with(begin))
}

#[test]
fn the_chapter_shows_all_of_the_driver() {
    let shown: Vec<&str> = PAGE.lines().collect();
    for file in DRIVER {
        let lines = file.lines().skip_while(|line| line.is_empty() || !is_code(line));
        let missing: Vec<&str> = lines.filter(|line| is_code(line) && !shown.contains(line)).collect();
        assert!(missing.is_empty(), "docs/src/write-a-driver.md lacks:\n{}", missing.join("\n"));
    }
}
