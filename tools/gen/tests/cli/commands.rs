//! `gen write`, `gen check` and `gen compat` in a repository.

use crate::repo::{Repo, fixture};
use schema_gen::outputs;

const CAR: &str = "\
interface Car $Capos.kernelHosted {
  # A car.

  go @0 (speed :UInt32) -> (distance :UInt64);
  # Goes.

  turn @1 (way :Way) -> ();
  # Turns.
}

enum Way {
  left @0;
  right @1;
}
";

/// A repository that was generated once.
fn car() -> Repo {
    let repo = Repo::with(CAR);
    repo.gen_(&["write"]).expect("the schema is good");
    repo
}

#[test]
fn the_fixture_is_as_generated() {
    let root = fixture();
    let schema = outputs::load(&root).unwrap();
    let differences = outputs::differences(&root, &outputs::generate(&root, &schema).unwrap());
    assert_eq!(differences, [], "run `cargo run -p gen -- write tools/gen/tests/fixture`");
}

#[test]
fn what_was_written_passes() {
    let repo = car();
    assert_eq!(repo.gen_(&["check"]), Ok(String::new()));
    assert_eq!(repo.gen_(&["write"]), Ok(String::new()), "nothing is written twice");
}

#[test]
fn write_names_what_it_writes() {
    let written = Repo::with(CAR).gen_(&["write"]).unwrap();
    let expected = "docs/src/interfaces/car.md\ndocs/src/interfaces/index.md\nkernel/core/src/cap/dispatch.rs\n\
                    schema/schema.lock\nschema/src/generated/car.rs\nschema/src/generated/mod.rs\n\
                    userspace/rt/src/generated/car.rs\nuserspace/rt/src/generated/mod.rs\n";
    assert_eq!(written, expected);
}

#[test]
fn drift_is_named() {
    let repo = car();
    repo.put("schema/src/generated/car.rs", "// by hand\n");
    std::fs::remove_file(repo.root().join("docs/src/interfaces/car.md")).unwrap();
    let expected = "docs/src/interfaces/car.md: is missing; run `cargo run -p gen -- write`\n\
                    schema/src/generated/car.rs: differs from the schema; run `cargo run -p gen -- write`\n";
    assert_eq!(repo.gen_(&["check"]), Err(expected.to_owned()));
}

#[test]
fn left_over_files_are_named_and_removed() {
    let repo = car();
    repo.put("docs/src/interfaces/bus.md", &repo.get("docs/src/interfaces/car.md"));
    repo.put("docs/src/interfaces/notes.md", "By hand.\n");
    let said = repo.gen_(&["check"]).unwrap_err();
    let expected =
        "docs/src/interfaces/bus.md: follows from no schema file any more; run `cargo run -p gen -- write`\n";
    assert_eq!(said, expected);
    assert_eq!(repo.gen_(&["write"]), Ok("docs/src/interfaces/bus.md\n".into()));
    assert_eq!(repo.get("docs/src/interfaces/notes.md"), "By hand.\n");
}

#[test]
fn the_lock_is_part_of_what_is_checked() {
    let repo = car();
    repo.put("schema/schema.lock", "");
    let said = repo.gen_(&["check"]).unwrap_err();
    assert_eq!(said, "schema/schema.lock: differs from the schema; run `cargo run -p gen -- write`\n");
}

#[test]
fn additions_need_a_write_and_nothing_else() {
    let repo = car();
    let before = repo.get("schema/schema.lock");
    repo.change("(speed :UInt32)", "(speed :UInt32, gear :UInt8)");
    repo.change("# Turns.\n", "# Turns.\n\n  stop @2 () -> ();\n  # Stops.\n");
    repo.change("right @1;", "right @1;\n  around @2;");
    assert!(repo.gen_(&["check"]).is_err());
    repo.gen_(&["write"]).unwrap();
    assert_eq!(repo.gen_(&["check"]), Ok(String::new()));
    let after = repo.get("schema/schema.lock");
    assert!(before.lines().all(|line| after.contains(line)));
    for added in ["Car.go(gear): UInt8 at bit 32", "Car.stop: method 2", "car.Way.around: enumerant 2"] {
        assert!(after.lines().any(|line| line == added), "{added}");
    }
}

/// Checks that a change is refused by every command, at this line of the schema.
fn breaks(from: &str, to: &str, line: usize, expected: &str) {
    let repo = car();
    let lock = repo.get("schema/schema.lock");
    repo.put("old.lock", &lock);
    repo.change(from, to);
    for arguments in [&["check"][..], &["write"], &["compat", "old.lock"]] {
        let said = repo.gen_(arguments).expect_err("the change is incompatible");
        let expected = format!("schema/car.capnp:{line}: {expected}");
        assert!(said.lines().any(|line| line.starts_with(&expected)), "{arguments:?}: {said}");
    }
    assert_eq!(repo.get("schema/schema.lock"), lock, "a refused write changes nothing");
}

#[test]
fn a_changed_type_is_refused() {
    let expected = "Car.go(speed): was `UInt32 at bit 0`, is `UInt16 at bit 0`";
    breaks("speed :UInt32", "speed :UInt16", 6, expected);
}

#[test]
fn a_moved_field_is_refused() {
    let expected = "Car.go -> distance: was `UInt64 at bit 0`, is `UInt64 at bit 64`";
    breaks("(distance :UInt64)", "(new :UInt8, distance :UInt64)", 6, expected);
}

#[test]
fn a_renamed_field_is_refused() {
    breaks("speed :", "velocity :", 6, "Car.go(speed): was `UInt32 at bit 0`, is gone");
}

#[test]
fn a_changed_default_is_refused() {
    let expected = "Car.go(speed): was `UInt32 at bit 0`, is `UInt32 at bit 0, default 0x5`";
    breaks("speed :UInt32", "speed :UInt32 = 5", 6, expected);
}

#[test]
fn a_renumbered_method_is_refused() {
    let repo = car();
    repo.change("turn @1", "turn @0");
    repo.change("go @0", "go @1");
    let said = repo.gen_(&["check"]).unwrap_err();
    let expected =
        ["schema/car.capnp:6: Car.go: was `method 0`, is `method 1`", "schema/car.capnp:9: Car.turn: was"];
    assert!(expected.iter().all(|expected| said.contains(expected)), "{said}");
}

#[test]
fn a_removed_method_is_refused_at_its_interface() {
    breaks("turn @1 (way :Way) -> ();\n  # Turns.\n", "# Nothing.\n", 3, "Car.turn: was `method 1`, is gone");
}

#[test]
fn renumbered_enumerants_are_refused() {
    let repo = car();
    repo.change("left @0", "left @1");
    repo.change("right @1", "right @0");
    let said = repo.gen_(&["check"]).unwrap_err();
    assert!(
        said.contains("schema/car.capnp:13: car.Way.left: was `enumerant 0`, is `enumerant 1`"),
        "{said}"
    );
}

#[test]
fn a_renamed_interface_is_refused_at_the_lock() {
    let repo = car();
    repo.change("interface Car", "interface Bus");
    let said = repo.gen_(&["check"]).unwrap_err();
    assert!(said.starts_with("schema/schema.lock:3: Car: was `interface 0x"), "{said}");
}

#[test]
fn a_promise_can_be_taken_back_by_deleting_it() {
    let repo = car();
    repo.change("speed :UInt32", "speed :UInt64");
    assert!(repo.gen_(&["write"]).is_err());
    let lock = repo.get("schema/schema.lock").replace("Car.go(speed): UInt32 at bit 0\n", "");
    repo.put("schema/schema.lock", &lock);
    assert!(repo.gen_(&["write"]).is_ok());
    assert_eq!(repo.gen_(&["check"]), Ok(String::new()));
}

#[test]
fn compat_wants_a_file_that_is_there() {
    assert!(car().gen_(&["compat", "no.lock"]).unwrap_err().starts_with("no.lock: cannot be read"));
    assert!(car().gen_(&[]).unwrap_err().starts_with("usage: "));
    assert!(car().gen_(&["what"]).unwrap_err().starts_with("usage: "));
}

#[test]
fn pages_say_what_the_comments_say() {
    let repo = car();
    let page = repo.get("docs/src/interfaces/car.md");
    for part in [
        "# Car\n\nA car.\n",
        "- Served by: the kernel, in `kernel/core/src/cap/car.rs`\n",
        "go @0 (speed :UInt32) -> (distance :UInt64);\n",
        "1. <a id=\"Car.turn.1\"></a>Turns.\n",
        "| `right` | 1 |",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(repo.get("docs/src/interfaces/index.md").contains("| [Car](car.md) | kernel | A car. |\n"));
}

#[test]
fn the_books_contents_follow() {
    let repo = car();
    repo.put("docs/src/SUMMARY.md", "# Summary\n\n- [Interfaces](interfaces/index.md)\n- [More](more.md)\n");
    assert_eq!(repo.gen_(&["write"]), Ok("docs/src/SUMMARY.md\n".into()));
    let expected =
        "# Summary\n\n- [Interfaces](interfaces/index.md)\n  - [Car](interfaces/car.md)\n- [More](more.md)\n";
    assert_eq!(repo.get("docs/src/SUMMARY.md"), expected);
    assert_eq!(repo.gen_(&["check"]), Ok(String::new()));
}

#[test]
fn files_without_interfaces_make_nothing() {
    let repo = car();
    repo.put("schema/data.capnp", "@0xd11c0de0f00d1003;\nstruct Data {\n  list @0 :List(Text);\n}\n");
    assert_eq!(repo.gen_(&["check"]), Ok(String::new()));
}

#[test]
fn a_process_cannot_be_dispatched_to() {
    let repo = Repo::with(&CAR.replace("$Capos.kernelHosted ", ""));
    repo.gen_(&["write"]).unwrap();
    assert!(!repo.get("kernel/core/src/cap/dispatch.rs").contains("Car"));
    assert!(repo.get("userspace/rt/src/generated/car.rs").contains("pub trait CarServer"));
    assert!(!car().get("userspace/rt/src/generated/car.rs").contains("CarServer"));
}
