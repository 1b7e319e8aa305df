//! Schemas that the generator refuses, each with the place and the reason.

use crate::repo::Repo;

/// What the generator says about a schema that it must not take.
fn complaint(schema: &str) -> String {
    Repo::with(schema).gen_(&["write"]).expect_err("the schema is bad")
}

/// Checks what it says about a method of an interface that is fine otherwise; the method is on line 6.
fn method(hosted: bool, method: &str, expected: &str) {
    let annotation = if hosted { "$Capos.kernelHosted " } else { "" };
    let said = complaint(&format!(
        "interface Car {annotation}{{\n  # A car.\n\n  {method}\n  # Does it.\n\n  struct Wheel {{ size @0 :UInt8; }}\n}}\n"
    ));
    assert_eq!(said.trim_end(), format!("schema/car.capnp:6: Car.go: {expected}"));
}

#[test]
fn interfaces_without_comment() {
    let said = complaint("interface Car {\n}\n");
    assert_eq!(said, "schema/car.capnp:3: interface Car: has no comment that says what it is\n");
}

#[test]
fn methods_without_comment() {
    let said = complaint("interface Car {\n  # A car.\n\n  go @0 ();\n  stop @1 ();\n  # Stops.\n}\n");
    assert_eq!(said, "schema/car.capnp:6: Car.go: has no comment that says what it does\n");
}

#[test]
fn all_faults_at_once() {
    let said = complaint("interface Car {\n  go @0 ();\n  stop @1 (a :List(Text));\n}\n");
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn lists() {
    let why =
        "parameter `a` has a type that messages do not carry: scalars, enums, capabilities, Text and Data do";
    method(false, "go @0 (a :List(UInt8)) -> ();", why);
}

#[test]
fn structs() {
    let why =
        "result `a` has a type that messages do not carry: scalars, enums, capabilities, Text and Data do";
    method(false, "go @0 () -> (a :Wheel);", why);
}

#[test]
fn any_pointers() {
    let why =
        "parameter `a` has a type that messages do not carry: scalars, enums, capabilities, Text and Data do";
    method(true, "go @0 (a :AnyPointer) -> ();", why);
}

#[test]
fn any_structs() {
    let why =
        "parameter `a` has a type that messages do not carry: scalars, enums, capabilities, Text and Data do";
    method(true, "go @0 (a :AnyStruct) -> ();", why);
}

#[test]
fn void_fields() {
    let why =
        "result `a` has a type that messages do not carry: scalars, enums, capabilities, Text and Data do";
    method(true, "go @0 () -> (a :Void);", why);
}

#[test]
fn structs_in_place_of_parameters() {
    let why = "parameters must be listed in parentheses, not named as a struct";
    method(false, "go @0 Wheel -> ();", why);
    let why = "results must be listed in parentheses, not named as a struct";
    method(false, "go @0 () -> Wheel;", why);
}

#[test]
fn generic_methods() {
    method(false, "go @0 [T] (a :T) -> ();", "may not be generic");
}

#[test]
fn generic_interfaces() {
    let said = complaint("interface Car(T) {\n  # A car.\n}\n");
    assert_eq!(said, "schema/car.capnp:3: interface Car: may neither extend another one nor be generic\n");
}

#[test]
fn superclasses() {
    let said =
        complaint("interface Thing {\n  # A thing.\n}\ninterface Car extends(Thing) {\n  # A car.\n}\n");
    assert_eq!(said, "schema/car.capnp:6: interface Car: may neither extend another one nor be generic\n");
}

#[test]
fn default_texts_and_data() {
    method(false, "go @0 (a :Text = \"x\") -> ();", "parameter `a` has a default text");
    method(false, "go @0 (a :Data = \"x\") -> ();", "parameter `a` has default data");
}

#[test]
fn capabilities_behind_bytes() {
    let why = "parameter `b` is a capability behind `a`; Text and Data come last";
    method(false, "go @0 (a :Text, b :Capability) -> ();", why);
    let why = "result `b` is a capability behind `a`; Text and Data come last";
    method(true, "go @0 () -> (a :Data, b :Car);", why);
}

#[test]
fn two_texts_for_the_kernel() {
    let why =
        "parameter `c` follows `a`; the kernel's messages have at most one Text or Data, which comes last";
    method(true, "go @0 (a :Text, b :UInt8, c :Data) -> ();", why);
    let why = "result `b` follows `a`; the kernel's messages have at most one Text or Data, which comes last";
    method(true, "go @0 () -> (a :Text, b :Text);", why);
}

#[test]
fn two_texts_for_a_process_are_fine() {
    let schema =
        "interface Car {\n  # A car.\n\n  go @0 (a :Text, b :Text) -> (c :Data, d :Text);\n  # Goes.\n}\n";
    assert!(Repo::with(schema).gen_(&["write"]).is_ok());
}

#[test]
fn too_many_capabilities() {
    let many = |count: usize| (0..count).map(|n| format!("c{n} :Capability")).collect::<Vec<_>>().join(", ");
    method(true, &format!("go @0 ({}) -> ();", many(17)), "parameters have more than 16 capabilities");
    let schema = format!("interface Car {{\n  # A car.\n\n  go @0 ({}) -> ();\n  # Goes.\n}}\n", many(16));
    assert!(Repo::with(&schema).gen_(&["write"]).is_ok());
}

#[test]
fn two_interfaces_of_one_name() {
    let repo = Repo::with("interface Car {\n  # A car.\n}\n");
    repo.put("schema/other.capnp", "@0xd11c0de0f00d1002;\ninterface Car {\n  # Another car.\n}\n");
    let said = repo.gen_(&["write"]).unwrap_err();
    assert!(said.contains("has the same name"), "{said}");
}

#[test]
fn what_the_compiler_refuses() {
    let said = complaint("interface Car {\n  go @1 ();\n}\n");
    assert!(said.starts_with("schema/car.capnp:4: error: "), "{said}");
}
