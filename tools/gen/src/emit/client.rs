//! Clients: a capability with one function per method, and another one that blocks.

use std::fmt::Write as _;

use super::user::{Answer, client_name, owned_struct};
use super::{Role, comment, shape, struct_name};
use crate::model::{Field, Interface, Kind, Method, Target};
use crate::names::{identifier, upper};

/// The client of an interface and the structs that its methods give.
pub(super) fn client(out: &mut String, interface: &Interface) {
    let name = client_name(&interface.name);
    let _ =
        writeln!(out, "/// A capability for `{}`.\npub struct {name} {{\ncap: Cap,\n}}\n", interface.name);
    let _ = writeln!(out, "impl Client for {name} {{\nconst ID: u64 = schema::INTERFACE_ID;\n}}\n");
    conversions(out, &name);
    for method in &interface.methods {
        description(out, method);
    }
    out.push('\n');
    let _ = writeln!(
        out,
        "impl {name} {{\n/// The capability.\npub fn cap(&self) -> &Cap {{\n&self.cap\n}}\n\n\
         /// The capability alone.\npub fn into_cap(self) -> Cap {{\nself.cap\n}}\n"
    );
    for method in &interface.methods {
        call(out, method);
    }
    out.push_str("}\n\n");
    for method in &interface.methods {
        if let Answer::Owned(name) = Answer::of(method) {
            let doc = format!("What `{}` answers.", method.name);
            owned_struct(out, &name, &doc, &method.results, None);
        }
        if matches!(Answer::of(method), Answer::Single(_) | Answer::Owned(_)) {
            reader(out, method);
        }
    }
}

fn conversions(out: &mut String, name: &str) {
    let _ = writeln!(
        out,
        "impl From<Cap> for {name} {{\nfn from(cap: Cap) -> Self {{\n{name} {{ cap }}\n}}\n}}\n\n\
         impl From<{name}> for Outgoing {{\nfn from(client: {name}) -> Self {{\nclient.cap.into()\n}}\n}}\n\n\
         impl From<&{name}> for Outgoing {{\nfn from(client: &{name}) -> Self {{\n(&client.cap).into()\n}}\n}}\n"
    );
}

/// Both functions of a method.
fn call(out: &mut String, method: &Method) {
    let name = identifier(&method.name);
    let answer = Answer::of(method).rust_type(None);
    let head = format!("(&self{}) -> Result<{answer}, CallError> {{\n", parameters(method));
    comment(out, "///", &method.doc);
    let _ = writeln!(out, "pub async fn {name}{head}{}}}\n", body(method, "call", ".await"));
    let _ = writeln!(out, "/// Like `{name}`, but the thread waits for the answer.");
    let _ = writeln!(
        out,
        "pub fn {}_blocking{head}{}}}\n",
        name.trim_end_matches('_'),
        body(method, "call_blocking", "")
    );
}

/// The parameter list behind `self`.
fn parameters(method: &Method) -> String {
    let params = &method.params;
    let mut out = String::new();
    for (field, _) in params.capabilities() {
        let _ = write!(out, ", {}: impl Into<Outgoing>", identifier(&field.name));
    }
    if params.is_wide() {
        let _ = write!(out, ", params: {}", params_type(method));
        return out;
    }
    for field in params.values() {
        let _ = write!(out, ", {}: {}", identifier(&field.name), shape::value_type(field, "&"));
    }
    out
}

/// The schema's struct for the parameters.
pub(super) fn params_type(method: &Method) -> String {
    let life = if method.params.borrows() { "<'_>" } else { "" };
    format!("schema::{}{life}", struct_name(method, Role::Params))
}

/// Sends the parameters, waits, reads the results.
fn body(method: &Method, function: &str, wait: &str) -> String {
    let caps: Vec<String> = method.params.capabilities().map(|(field, _)| identifier(&field.name)).collect();
    let mut out = String::new();
    for cap in &caps {
        let _ = writeln!(out, "let {cap} = {cap}.into();");
    }
    let slots: Vec<String> = caps.iter().map(|cap| format!("{cap}.slot()")).collect();
    let params = message_value(method, Role::Params, "");
    let params = if method.params.is_wide() {
        "params"
    } else if method.params.values().next().is_some() {
        let _ = writeln!(out, "let params = {params};");
        "params"
    } else {
        &params
    };
    let ordinal = upper(&method.name);
    let reader = reader_path(method);
    if wait.is_empty() && caps.is_empty() && !gives_capabilities(method) {
        let _ = writeln!(out, "ask(&self.cap, {ordinal}, &{params}, {reader})");
        return out;
    }
    let _ = writeln!(
        out,
        "let reply = {function}(&self.cap, {ordinal}, &{params}, &[{}]){wait}?;",
        slots.join(", ")
    );
    for cap in &caps {
        let _ = writeln!(out, "{cap}.delivered();");
    }
    let _ = if gives_capabilities(method) {
        writeln!(out, "{reader}(&reply)")
    } else {
        writeln!(out, "Ok({reader}(reply.bytes())?)")
    };
    out
}

fn gives_capabilities(method: &Method) -> bool {
    method.results.capabilities().next().is_some()
}

/// The function that reads a method's results: from the bytes of the answer, or from the whole answer if capabilities come along.
fn reader_path(method: &Method) -> String {
    match Answer::of(method) {
        Answer::Unit => "empty_results".to_owned(),
        Answer::Plain(_) => "plain_results".to_owned(),
        Answer::Single(_) | Answer::Owned(_) => {
            let name = identifier(&method.name);
            let name = name.trim_end_matches('_');
            if gives_capabilities(method) { format!("{name}_reply") } else { format!("{name}_results") }
        }
    }
}

/// The constant that describes a method.
fn description(out: &mut String, method: &Method) {
    let name = upper(&method.name);
    let results = &method.results;
    let bytes = if results.borrows() {
        "MAX_MESSAGE".to_owned()
    } else if results.is_empty() {
        "0".to_owned()
    } else {
        (8 * (1 + u32::from(results.data_words) + u32::from(results.pointers))).to_string()
    };
    let _ = writeln!(
        out,
        "const {name}: Method = Method {{ interface: schema::INTERFACE_ID, ordinal: schema::{name}, caps: {}, bytes: {bytes} }};",
        results.capabilities().count()
    );
}

/// A literal of the schema's struct; fields come from variables of their names, or from `source` if given.
pub(super) fn message_value(method: &Method, role: Role, source: &str) -> String {
    let message = if role == Role::Params { &method.params } else { &method.results };
    if message.is_empty() {
        return "Empty".to_owned();
    }
    let fields: Vec<String> = message
        .values()
        .map(|field| {
            let name = identifier(&field.name);
            let borrow = matches!(field.kind, Kind::Text { .. } | Kind::Data { .. });
            match (source.is_empty(), borrow) {
                (true, _) => name,
                (false, true) => format!("{name}: &{source}{name}"),
                (false, false) => format!("{name}: {source}{name}"),
            }
        })
        .collect();
    let name = format!("schema::{}", struct_name(method, role));
    if fields.is_empty() { name } else { format!("{name} {{ {} }}", fields.join(", ")) }
}

/// The function that makes the answer from what came; both functions of a method share it.
fn reader(out: &mut String, method: &Method) {
    let results = format!("schema::{}", struct_name(method, Role::Results));
    let answer = Answer::of(method);
    let (source, bytes, error) = if gives_capabilities(method) {
        ("reply: &Reply", "reply.bytes()", "CallError")
    } else {
        ("bytes: &[u8]", "bytes", "DecodeError")
    };
    let _ = writeln!(
        out,
        "fn {}({source}) -> Result<{}, {error}> {{",
        reader_path(method),
        answer.rust_type(None)
    );
    let has_values = method.results.values().next().is_some();
    let binding = if has_values { "let results = " } else { "" };
    let value = match &answer {
        Answer::Unit | Answer::Plain(_) => "Ok(results)".to_owned(),
        Answer::Single(field) => match field.kind {
            Kind::Capability { index, target: Target::Any } => format!("reply.take_cap({index})"),
            _ => format!("Ok({})", owned_value(field)),
        },
        Answer::Owned(name) => {
            let fields = method.results.fields.iter();
            let fields: Vec<String> =
                fields.map(|field| format!("{}: {}", identifier(&field.name), owned_value(field))).collect();
            format!("Ok({name} {{ {} }})", fields.join(", "))
        }
    };
    let body = format!("{binding}{results}::decode({bytes})?;\n{value}\n");
    let _ = writeln!(out, "{body}}}\n");
}

/// A result as the caller owns it.
fn owned_value(field: &Field) -> String {
    let name = identifier(&field.name);
    match &field.kind {
        Kind::Scalar { .. } => format!("results.{name}"),
        Kind::Text { .. } => format!("String::from(results.{name})"),
        Kind::Data { .. } => format!("Vec::from(results.{name})"),
        Kind::Capability { index, target: Target::Any } => format!("reply.take_cap({index})?"),
        Kind::Capability { index, .. } => format!("reply.take_cap({index})?.into()"),
    }
}
