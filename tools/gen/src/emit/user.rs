//! `userspace/rt/src/generated`: one module per interface, with its client and, if a process can serve it, its server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{HEADER, Role, client, header, server, shape, struct_name};
use crate::model::{Field, Interface, Kind, Message, Method, Scalar, Schema, Target};
use crate::names::{identifier, snake};

/// What all clients share.
const COMMON: &str = "
use capos_abi::TransferSlot;
use capos_schema::{Decode, DecodeError, Empty, Encode};

use crate::cap::Cap;
use crate::ipc::{self, CallError, Reply};

/// One method, and how much room its answer needs.
#[derive(Clone, Copy)]
struct Method {
    interface: u64,
    ordinal: u16,
    caps: usize,
    bytes: usize,
}

fn call(
    cap: &Cap,
    method: Method,
    params: &impl Encode,
    send: &[TransferSlot],
) -> impl Future<Output = Result<Reply, CallError>> {
    let Method { interface, ordinal, caps, bytes } = method;
    ipc::call(cap, interface, ordinal, |out| params.encode(out), send, caps, bytes)
}

fn call_blocking(
    cap: &Cap,
    method: Method,
    params: &impl Encode,
    send: &[TransferSlot],
) -> Result<Reply, CallError> {
    let Method { interface, ordinal, caps, bytes } = method;
    ipc::call_blocking(cap, interface, ordinal, |out| params.encode(out), send, caps, bytes)
}

/// A call without capabilities on either way.
fn ask<R>(
    cap: &Cap,
    method: Method,
    params: &impl Encode,
    read: impl FnOnce(&[u8]) -> Result<R, DecodeError>,
) -> Result<R, CallError> {
    ipc::ask(cap, method.interface, method.ordinal, |out| params.encode(out), read)
}

fn plain_results<R: for<'a> Decode<'a>>(bytes: &[u8]) -> Result<R, DecodeError> {
    R::decode(bytes)
}

fn empty_results(bytes: &[u8]) -> Result<(), DecodeError> {
    Empty::decode(bytes).map(|Empty| ())
}
";

/// Words of generated code, and what has to be imported where they occur.
const IMPORTS: [(&str, &str, &str); 20] = [
    ("String", "alloc::string", "String"),
    ("Vec", "alloc::vec", "Vec"),
    ("ExceptionCode", "capos_abi", "ExceptionCode"),
    ("MAX_MESSAGE", "capos_abi", "MAX_MESSAGE"),
    ("decode", "capos_schema", "Decode"),
    ("encode", "capos_schema", "Encode"),
    ("Empty", "capos_schema", "Empty"),
    ("Cap", "crate::cap", "Cap"),
    ("Outgoing", "crate::cap", "Outgoing"),
    ("CallError", "crate::ipc", "CallError"),
    ("Reply", "crate::ipc", "Reply"),
    ("CallContext", "crate::serve", "CallContext"),
    ("Exception", "crate::serve", "Exception"),
    ("Request", "crate::serve", "Request"),
    ("Client", "crate::cap", "Client"),
    ("DecodeError", "capos_schema", "DecodeError"),
    ("ask", "super", "ask"),
    ("call_blocking", "super", "call_blocking"),
    ("empty_results", "super", "empty_results"),
    ("plain_results", "super", "plain_results"),
];

/// The list of modules.
pub fn index(schema: &Schema) -> String {
    let mut out = format!("//! {HEADER} schema/*.capnp: typed clients and servers.\n");
    out.push_str(
        "#![allow(missing_docs, reason = \"fields and parameters are explained at their method\")]\n\n",
    );
    for interface in &schema.interfaces {
        let _ = writeln!(out, "pub mod {};", interface.module);
    }
    out.push('\n');
    for interface in &schema.interfaces {
        let _ = writeln!(out, "pub use {}::{};", interface.module, client_name(&interface.name));
    }
    out.push_str(COMMON);
    out
}

/// One module.
pub fn module(interface: &Interface) -> String {
    let mut body = String::new();
    client::client(&mut body, interface);
    if !interface.kernel_hosted {
        server::server(&mut body, interface);
    }
    header(interface) + &imports(interface, &body) + &body
}

fn imports(interface: &Interface, body: &str) -> String {
    let code = body.lines().filter(|line| !line.starts_with("///")).collect::<Vec<_>>().join("\n");
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut paths: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |path: &str, name: &str| {
        paths.entry(path.to_owned()).or_default().insert(name.to_owned());
    };
    for (word, path, name) in IMPORTS {
        if words.contains(word) {
            add(path, name);
        }
    }
    if !interface.methods.is_empty() {
        add("super", "Method");
        add("super", "call");
    }
    add("capos_schema", &format!("{} as schema", interface.module));
    for message in interface.methods.iter().flat_map(|method| [&method.params, &method.results]) {
        for field in &message.fields {
            match &field.kind {
                Kind::Scalar { scalar: Scalar::Enum(name), .. } if words.contains(name.name.as_str()) => {
                    add(&format!("capos_schema::{}", name.module), &name.name);
                }
                Kind::Capability { target: Target::Interface { name, .. }, .. }
                    if *name != interface.name && words.contains(client_name(name).as_str()) =>
                {
                    add(&format!("super::{}", snake(name)), &client_name(name));
                }
                _ => {}
            }
        }
    }
    ["alloc", "capos", "crate", "super"]
        .iter()
        .fold(String::new(), |out, group| out + &use_lines(&paths, group))
}

/// One group of imports. What is ours follows without a gap.
fn use_lines(paths: &BTreeMap<String, BTreeSet<String>>, group: &str) -> String {
    let mut out = String::new();
    for (path, names) in paths.iter().filter(|(path, _)| path.starts_with(group)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = writeln!(out, "use {path}::{{{}}};", names.join(", "));
    }
    if !out.is_empty() && group != "crate" {
        out.push('\n');
    }
    out
}

/// `Timer` to `TimerClient`.
pub(super) fn client_name(interface: &str) -> String {
    format!("{interface}Client")
}

/// Rust type of a capability field as its receiver sees it.
pub(super) fn capability_type(target: &Target) -> String {
    match target {
        Target::Any => "Cap".to_owned(),
        Target::Interface { name, .. } => client_name(name),
    }
}

/// What a method gives, as a Rust type.
pub(super) enum Answer<'m> {
    /// Nothing.
    Unit,
    /// One field, bare.
    Single(&'m Field),
    /// The schema crate's struct, which owns all that it has.
    Plain(String),
    /// A struct of our own, since the schema's would borrow or lacks the capabilities.
    Owned(String),
}

impl<'m> Answer<'m> {
    /// How to hand the results of `method` on.
    pub(super) fn of(method: &'m Method) -> Self {
        let results = &method.results;
        match results.fields.as_slice() {
            [] => Answer::Unit,
            [field] => Answer::Single(field),
            _ if results.borrows() || results.capabilities().next().is_some() => {
                Answer::Owned(crate::names::pascal(&method.name) + "Reply")
            }
            _ => Answer::Plain(format!("schema::{}", struct_name(method, Role::Results))),
        }
    }

    /// The type; capabilities have type `capability` if given, else that of their client.
    pub(super) fn rust_type(&self, capability: Option<&str>) -> String {
        match self {
            Answer::Unit => "()".to_owned(),
            Answer::Single(field) => owned_type(field, capability),
            Answer::Plain(name) | Answer::Owned(name) => name.clone(),
        }
    }
}

/// Rust type that owns a field.
pub(super) fn owned_type(field: &Field, capability: Option<&str>) -> String {
    match &field.kind {
        Kind::Scalar { scalar, .. } => shape::scalar_type(scalar),
        Kind::Text { .. } => "String".to_owned(),
        Kind::Data { .. } => "Vec<u8>".to_owned(),
        Kind::Capability { target, .. } => capability.map_or_else(|| capability_type(target), str::to_owned),
    }
}

/// A struct that owns the fields of a message.
pub(super) fn owned_struct(
    out: &mut String,
    name: &str,
    doc: &str,
    message: &Message,
    capability: Option<&str>,
) {
    let _ = writeln!(out, "/// {doc}");
    if message.capabilities().next().is_none() {
        let eq = if message.has_float() { "" } else { " Eq," };
        let _ = writeln!(out, "#[derive(Clone, PartialEq,{eq} Debug, Default)]");
    }
    let _ = writeln!(out, "pub struct {name} {{");
    for field in &message.fields {
        let _ = writeln!(out, "pub {}: {},", identifier(&field.name), owned_type(field, capability));
    }
    out.push_str("}\n\n");
}
