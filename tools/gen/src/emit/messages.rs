//! Modules of crate `capos-schema`: ids, ordinals, enums, and the structs of all messages.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{HEADER, Role, comment, first_sentence, header, shape, struct_name};
use crate::model::{Enum, Field, Interface, Kind, Message, Method, Scalar, Schema, Target};
use crate::names::{identifier, pascal, snake, upper};

/// The list of modules, and the table of all interfaces.
pub fn index(schema: &Schema) -> String {
    let mut out = format!("//! {HEADER} schema/*.capnp: one module per interface.\n\n");
    for module in modules(schema) {
        let _ = writeln!(out, "pub mod {module};");
    }
    out.push_str("\n/// Every interface of this system: its name and its id.\n");
    out.push_str("pub const INTERFACES: &[(&str, u64)] = &[\n");
    for interface in &schema.interfaces {
        let _ = writeln!(out, "({0}::INTERFACE_NAME, {0}::INTERFACE_ID),", interface.module);
    }
    out.push_str("];\n");
    out
}

/// Modules of interfaces, and of enums that belong to no interface.
pub fn modules(schema: &Schema) -> BTreeSet<&str> {
    let interfaces = schema.interfaces.iter().map(|interface| interface.module.as_str());
    interfaces.chain(schema.enums.iter().map(|item| item.name.module.as_str())).collect()
}

/// One module.
pub fn module(schema: &Schema, module: &str) -> String {
    let interface = schema.interfaces.iter().find(|interface| interface.module == module);
    let enums: Vec<&Enum> = schema.enums.iter().filter(|item| item.name.module == module).collect();
    let mut out = match (interface, enums.first()) {
        (Some(interface), _) => header(interface),
        (None, Some(item)) => format!("//! {HEADER} {}.\n\n", item.place.file),
        (None, None) => String::new(),
    };
    if let Some(interface) = interface {
        imports(&mut out, interface, !enums.is_empty());
        constants(&mut out, interface);
    } else {
        out.push_str("use crate::error::DecodeError;\n\n");
    }
    for item in enums {
        enumeration(&mut out, item);
    }
    for method in interface.iter().flat_map(|interface| &interface.methods) {
        for (role, message) in [(Role::Params, &method.params), (Role::Results, &method.results)] {
            if !message.is_empty() {
                structure(&mut out, schema, method, role, message);
            }
        }
    }
    out
}

fn imports(out: &mut String, interface: &Interface, has_enums: bool) {
    let messages = || interface.methods.iter().flat_map(|method| [&method.params, &method.results]);
    let mut names = BTreeSet::new();
    for field in messages().flat_map(|message| &message.fields) {
        match &field.kind {
            Kind::Scalar { scalar: Scalar::Enum(name), .. } if name.module != interface.module => {
                names.insert(format!("use super::{}::{};\n", name.module, name.name));
            }
            _ => {}
        }
    }
    if messages().any(|message| !message.is_empty()) {
        names.insert("use crate::error::{DecodeError, EncodeError};\n".to_owned());
        let pointer = if messages().any(|message| message.pointers > 0) { ", Pointer" } else { "" };
        names.insert(format!("use crate::wire::{{Decode, Encode, Message{pointer}, write}};\n"));
    } else if has_enums {
        names.insert("use crate::error::DecodeError;\n".to_owned());
    }
    out.extend(names);
    out.push('\n');
}

fn constants(out: &mut String, interface: &Interface) {
    let name = &interface.name;
    let _ =
        writeln!(out, "/// Interface id of `{name}`.\npub const INTERFACE_ID: u64 = {:#018x};", interface.id);
    let _ = writeln!(out, "/// Its name in the schema.\npub const INTERFACE_NAME: &str = \"{name}\";\n");
    for method in &interface.methods {
        comment(out, "///", &format!("`{}`: {}", method.name, first_sentence(&method.doc)));
        let _ = writeln!(out, "pub const {}: u16 = {};", upper(&method.name), method.ordinal);
    }
    out.push('\n');
}

fn enumeration(out: &mut String, item: &Enum) {
    let name = &item.name.name;
    let doc = if item.doc.is_empty() { format!("`{name}`.") } else { item.doc.clone() };
    comment(out, "///", &doc);
    out.push_str(
        "#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]\n#[repr(u16)]\n",
    );
    let _ = writeln!(out, "pub enum {name} {{");
    for (ordinal, (value, doc)) in item.values.iter().enumerate() {
        comment(out, "///", doc);
        let default = if ordinal == 0 { "#[default]\n" } else { "" };
        let _ = writeln!(out, "{default}{} = {ordinal},", pascal(value));
    }
    out.push_str("}\n\n");
    let _ = writeln!(out, "impl {name} {{");
    let all: Vec<String> =
        item.values.iter().map(|(value, _)| format!("{name}::{}", pascal(value))).collect();
    let _ =
        writeln!(out, "/// All of them.\npub const ALL: [{name}; {}] = [{}];\n", all.len(), all.join(", "));
    out.push_str(
        "/// The number on the wire.\n#[inline]\npub const fn to_wire(self) -> u16 {\nself as u16\n}\n\n",
    );
    out.push_str("/// The value of a number from the wire, which may be of a newer schema.\n#[inline]\n");
    let _ = writeln!(out, "pub const fn from_wire(raw: u16) -> Result<{name}, DecodeError> {{\nmatch raw {{");
    for (ordinal, (value, _)) in item.values.iter().enumerate() {
        let _ = writeln!(out, "{ordinal} => Ok({name}::{}),", pascal(value));
    }
    out.push_str("_ => Err(DecodeError::UnknownEnumerant(raw)),\n}\n}\n\n");
    out.push_str(
        "/// The name in the schema, for people.\npub const fn name(self) -> &'static str {\nmatch self {\n",
    );
    for (value, _) in &item.values {
        let _ = writeln!(out, "{name}::{} => \"{value}\",", pascal(value));
    }
    out.push_str("}\n}\n}\n\n");
}

fn structure(out: &mut String, schema: &Schema, method: &Method, role: Role, message: &Message) {
    let name = struct_name(method, role);
    let life = if message.borrows() { "<'a>" } else { "" };
    let what = if role == Role::Params { "Parameters" } else { "Results" };
    let _ = writeln!(out, "/// {what} of `{}`.", method.name);
    let eq = if message.has_float() { "" } else { " Eq," };
    let default = if message.has_defaults() { "" } else { ", Default" };
    let _ = writeln!(out, "#[derive(Clone, Copy, PartialEq,{eq} Debug{default})]");
    let fields: Vec<String> = message
        .values()
        .map(|field| format!("pub {}: {},\n", identifier(&field.name), shape::value_type(field, "&'a ")))
        .collect();
    if fields.is_empty() {
        let _ = writeln!(out, "pub struct {name};\n");
    } else {
        let _ = writeln!(out, "pub struct {name}{life} {{\n{}}}\n", fields.concat());
    }
    if message.has_defaults() {
        defaults(out, schema, &name, life, message);
    }
    capabilities(out, &name, life, message);
    encoding(out, &name, life, message);
    decoding(out, &name, life, message);
}

/// What a message of length zero says.
fn defaults(out: &mut String, schema: &Schema, name: &str, life: &str, message: &Message) {
    let life = if life.is_empty() { "" } else { "<'_>" };
    let fields: Vec<String> = message
        .values()
        .map(|field| format!("{}: {}", identifier(&field.name), shape::default_value(schema, field)))
        .collect();
    let _ = writeln!(
        out,
        "impl Default for {name}{life} {{\nfn default() -> Self {{\n{name} {{ {} }}\n}}\n}}\n",
        fields.join(", ")
    );
}

fn capabilities(out: &mut String, name: &str, life: &str, message: &Message) {
    let ids: Vec<String> = message.capabilities().map(|(_, target)| target_id(target)).collect();
    if ids.is_empty() {
        return;
    }
    let names: Vec<String> = message.capabilities().map(|(field, _)| format!("`{}`", field.name)).collect();
    let life = if life.is_empty() { "" } else { "<'_>" };
    let _ = writeln!(out, "impl {name}{life} {{");
    let _ = writeln!(out, "/// Interfaces of the capabilities beside the message: {}.", names.join(", "));
    let _ = writeln!(out, "pub const CAPS: [u64; {}] = [{}];\n}}\n", ids.len(), ids.join(", "));
}

fn target_id(target: &Target) -> String {
    match target {
        Target::Any => "crate::ANY".to_owned(),
        Target::Interface { name, .. } => format!("crate::{}::INTERFACE_ID", snake(name)),
    }
}

fn encoding(out: &mut String, name: &str, life: &str, message: &Message) {
    let life = if life.is_empty() { "" } else { "<'_>" };
    let _ = writeln!(
        out,
        "impl Encode for {name}{life} {{\n#[inline]\n\
         fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {{\nwrite(out, {}, {})\n}}\n}}\n",
        shape::data_words(message),
        shape::pointers(message)
    );
}

fn decoding(out: &mut String, name: &str, life: &str, message: &Message) {
    let (generic, trait_life, input) =
        if life.is_empty() { ("", "'_", "&[u8]") } else { ("<'a>", "'a", "&'a [u8]") };
    let checks: Vec<String> = message
        .fields
        .iter()
        .filter(|field| matches!(field.kind, Kind::Capability { .. }))
        .map(|field| format!("{};\n", shape::read(field)))
        .collect();
    let fields: Vec<String> = message.values().map(initializer).collect();
    let body = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
    let _ = writeln!(
        out,
        "impl{generic} Decode<{trait_life}> for {name}{life} {{\n#[inline]\n\
         fn decode(message: {input}) -> Result<Self, DecodeError> {{\n\
         let message = Message::<{}, {}>::parse(message)?;\n{}Ok({name}{body})\n}}\n}}\n",
        message.data_words,
        message.pointers,
        checks.concat(),
    );
}

fn initializer(field: &Field) -> String {
    format!("{}: {}", identifier(&field.name), shape::read(field))
}
