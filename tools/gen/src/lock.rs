//! What the schema has promised: `schema/schema.lock`, one promise per line, `key: value`.
//!
//! A promise that was made once is kept: programs built against an older schema go on working. Additions make new promises.
//! Names are promised too, since source code depends on them although the wire does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::fault::{Fault, Faults};
use crate::model::{Enum, Interface, Kind, Message, Method, Scalar, Schema, Target};
use crate::source::Place;

/// Where it lies.
pub const PATH: &str = "schema/schema.lock";

const HEAD: &str = "\
# What schema/*.capnp has promised. `gen check` refuses to break it; `gen write` adds what is new.
# To break a promise that nobody relies on yet, delete its line and run `gen write`.
";

/// One promise.
struct Promise {
    key: String,
    value: String,
    place: Place,
}

/// The lock file of a schema.
pub fn render(schema: &Schema) -> String {
    promises(schema).iter().fold(HEAD.to_owned(), |mut out, promise| {
        let _ = writeln!(out, "{}: {}", promise.key, promise.value);
        out
    })
}

/// Checks that a schema keeps every promise of the lock file `text`, which lies at `path`.
pub fn check(schema: &Schema, path: &str, text: &str) -> Result<(), Faults> {
    let promises = promises(schema);
    let now: BTreeMap<&str, &Promise> =
        promises.iter().map(|promise| (promise.key.as_str(), promise)).collect();
    let keys = text.lines().filter_map(|line| line.split_once(": "));
    let promised: BTreeSet<&str> = keys.map(|(key, _)| key).collect();
    let mut faults = Faults::default();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let lock = Place { file: path.to_owned(), line: Some(index + 1) };
        let Some((key, value)) = line.split_once(": ") else {
            faults.0.push(Fault::at(&lock, "is no promise; a line is `key: value`"));
            continue;
        };
        match now.get(key) {
            Some(promise) if promise.value == value => {}
            Some(promise) => faults.0.push(Fault::at(&promise.place, changed(key, value, &promise.value))),
            None => match now.get(owner(key)) {
                Some(owner) => faults.0.push(Fault::at(&owner.place, gone(key, value))),
                // With a method its parameters go too: it is enough to say so once.
                None if promised.contains(owner(key)) => {}
                None => faults.0.push(Fault::at(&lock, gone(key, value))),
            },
        }
    }
    faults.check()
}

fn changed(key: &str, was: &str, is: &str) -> String {
    format!(
        "{key}: was `{was}`, is `{is}`; that breaks who was built before ({PATH} says how to do it nevertheless)"
    )
}

fn gone(key: &str, was: &str) -> String {
    format!(
        "{key}: was `{was}`, is gone; that breaks who was built before ({PATH} says how to do it nevertheless)"
    )
}

/// `Timer.sleepUntil(ns)` belongs to `Timer.sleepUntil`, and that to `Timer`.
fn owner(key: &str) -> &str {
    let member = key.split(['(', ' ']).next().unwrap_or(key);
    if member.len() < key.len() { member } else { key.rsplit_once('.').map_or("", |(owner, _)| owner) }
}

fn promises(schema: &Schema) -> Vec<Promise> {
    let mut out = Vec::new();
    for interface in &schema.interfaces {
        interface_promises(&mut out, interface);
    }
    for item in &schema.enums {
        enum_promises(&mut out, item);
    }
    out
}

fn interface_promises(out: &mut Vec<Promise>, interface: &Interface) {
    let name = &interface.name;
    let value = format!("interface {:#018x}", interface.id);
    out.push(Promise { key: name.clone(), value, place: interface.place.clone() });
    for method in &interface.methods {
        let key = format!("{name}.{}", method.name);
        out.push(Promise {
            key: key.clone(),
            value: format!("method {}", method.ordinal),
            place: method.place.clone(),
        });
        message_promises(out, method, &method.params, |field| format!("{key}({field})"));
        message_promises(out, method, &method.results, |field| format!("{key} -> {field}"));
    }
}

fn message_promises(
    out: &mut Vec<Promise>,
    method: &Method,
    message: &Message,
    key: impl Fn(&str) -> String,
) {
    for field in &message.fields {
        out.push(Promise { key: key(&field.name), value: slot(&field.kind), place: method.place.clone() });
    }
}

fn enum_promises(out: &mut Vec<Promise>, item: &Enum) {
    let name = format!("{}.{}", item.name.module, item.name.name);
    out.push(Promise { key: name.clone(), value: "enum".to_owned(), place: item.place.clone() });
    for (ordinal, (value, _)) in item.values.iter().enumerate() {
        out.push(Promise {
            key: format!("{name}.{value}"),
            value: format!("enumerant {ordinal}"),
            place: item.place.clone(),
        });
    }
}

/// Type and place of a field.
fn slot(kind: &Kind) -> String {
    match kind {
        Kind::Scalar { scalar, offset, default: 0 } => format!("{} at bit {offset}", scalar_name(scalar)),
        Kind::Scalar { scalar, offset, default } => {
            format!("{} at bit {offset}, default {default:#x}", scalar_name(scalar))
        }
        Kind::Capability { index, target: Target::Any } => format!("Capability at pointer {index}"),
        Kind::Capability { index, target: Target::Interface { name, .. } } => {
            format!("{name} at pointer {index}")
        }
        Kind::Text { index } => format!("Text at pointer {index}"),
        Kind::Data { index } => format!("Data at pointer {index}"),
    }
}

fn scalar_name(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Enum(name) => format!("{}.{}", name.module, name.name),
        other => other.schema_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, owner, render};
    use crate::model::{Field, Interface, Kind, Message, Method, Scalar, Schema};
    use crate::source::Place;

    fn schema(fields: &[(&str, u32)]) -> Schema {
        let fields = fields.iter().map(|(name, offset)| Field {
            name: (*name).to_owned(),
            kind: Kind::Scalar { scalar: Scalar::Unsigned(32), offset: *offset, default: 0 },
        });
        let method = Method {
            name: "go".into(),
            ordinal: 0,
            doc: "Goes.".into(),
            end_of_stream: false,
            place: Place { file: "schema/car.capnp".into(), line: Some(7) },
            params: Message { data_words: 1, pointers: 0, fields: fields.collect() },
            results: Message::default(),
        };
        let interface = Interface {
            name: "Car".into(),
            module: "car".into(),
            id: 0x1234,
            doc: "A car.".into(),
            kernel_hosted: false,
            place: Place { file: "schema/car.capnp".into(), line: Some(4) },
            methods: vec![method],
        };
        Schema { interfaces: vec![interface], enums: Vec::new() }
    }

    #[test]
    fn a_schema_keeps_its_own_promises() {
        let schema = schema(&[("speed", 0)]);
        assert!(check(&schema, "lock", &render(&schema)).is_ok());
    }

    #[test]
    fn a_new_field_is_welcome() {
        let lock = render(&schema(&[("speed", 0)]));
        assert!(check(&schema(&[("speed", 0), ("gear", 32)]), "lock", &lock).is_ok());
    }

    #[test]
    fn a_moved_field_is_refused_at_its_method() {
        let lock = render(&schema(&[("speed", 0)]));
        let faults = check(&schema(&[("speed", 32)]), "lock", &lock).unwrap_err().to_string();
        assert!(faults.starts_with("schema/car.capnp:7: Car.go(speed): was `UInt32 at bit 0`"), "{faults}");
    }

    #[test]
    fn a_field_that_is_gone_is_refused_at_its_method() {
        let lock = render(&schema(&[("speed", 0)]));
        let faults = check(&schema(&[]), "lock", &lock).unwrap_err().to_string();
        assert!(
            faults.starts_with("schema/car.capnp:7: Car.go(speed): was `UInt32 at bit 0`, is gone"),
            "{faults}"
        );
    }

    #[test]
    fn an_interface_that_is_gone_is_refused_at_the_lock() {
        let lock = render(&schema(&[]));
        let faults = check(&Schema::default(), "old.lock", &lock).unwrap_err().to_string();
        assert!(faults.contains("old.lock:3: Car: was `interface 0x0000000000001234`, is gone"), "{faults}");
    }

    #[test]
    fn rubbish_in_the_lock_is_named() {
        let faults = check(&Schema::default(), "old.lock", "hello\n").unwrap_err().to_string();
        assert_eq!(faults, "old.lock:1: is no promise; a line is `key: value`");
    }

    #[test]
    fn owners_of_promises() {
        assert_eq!(owner("Timer.sleepUntil(ns)"), "Timer.sleepUntil");
        assert_eq!(owner("Timer.now -> ns"), "Timer.now");
        assert_eq!(owner("Timer.now"), "Timer");
        assert_eq!(owner("Timer"), "");
    }
}
