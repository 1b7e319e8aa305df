//! The chapter on drivers says that it shows the whole driver; the lint sees to it that what it shows is so. And what the tour has one type works.

const PAGE: &str = include_str!("../../../docs/src/write-a-driver.md");
const TOUR: &str = include_str!("../../../docs/src/tour.md");
const CASE: &str = include_str!("../../lab/cases/devices/devices-tour.toml");
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

/// The machine that the tour builds is that of a case, so QEMU takes it.
#[test]
fn a_case_has_the_devices_of_the_tour() {
    let lines = TOUR.lines().filter(|line| line.starts_with("cargo cap run "));
    let shown: Vec<&str> = lines.flat_map(|line| line.split(" --device ").skip(1)).collect();
    let case: toml::Table = CASE.parse().unwrap();
    let tested = case["machine"]["devices"].as_array().unwrap();
    assert_eq!(shown, tested.iter().filter_map(|device| device.as_str()).collect::<Vec<_>>());
}
