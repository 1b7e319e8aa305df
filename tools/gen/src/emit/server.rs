//! Servers: a trait with one method per method, and a function that lets it answer one call.

use std::fmt::Write as _;

use super::client::{message_value, params_type};
use super::user::{Answer, capability_type, owned_struct};
use super::{Role, comment, shape, struct_name};
use crate::model::{Interface, Kind, Method, Target};
use crate::names::{identifier, pascal, upper};

/// A server hands capabilities out as copies or for good, as it likes.
const OUTGOING: Option<&str> = Some("Outgoing");

/// The trait, the structs that its methods give, and the function that dispatches.
pub(super) fn server(out: &mut String, interface: &Interface) {
    let name = &interface.name;
    let _ = writeln!(out, "/// What serves `{name}`: one method per method of the interface.");
    out.push_str("#[allow(async_fn_in_trait, reason = \"an executor runs on the thread that made it\")]\n");
    let _ = writeln!(out, "pub trait {name}Server {{");
    for method in &interface.methods {
        comment(out, "///", &method.doc);
        let _ = writeln!(
            out,
            "async fn {}(&self, cx: &CallContext{}) -> Result<{}, Exception>;\n",
            identifier(&method.name),
            parameters(method),
            answer_type(method)
        );
    }
    out.push_str("}\n\n");
    for method in &interface.methods {
        if has_own_answer(method) {
            let doc = format!("What a server answers to `{}`.", method.name);
            owned_struct(out, &answer_type(method), &doc, &method.results, OUTGOING);
        }
    }
    dispatch(out, interface);
    for method in &interface.methods {
        perform(out, interface, method);
    }
}

/// Whether the client's struct does not do because of its capabilities.
fn has_own_answer(method: &Method) -> bool {
    matches!(Answer::of(method), Answer::Owned(_)) && method.results.capabilities().next().is_some()
}

fn answer_type(method: &Method) -> String {
    if has_own_answer(method) {
        pascal(&method.name) + "Answer"
    } else {
        Answer::of(method).rust_type(OUTGOING)
    }
}

/// The parameter list behind `cx`, in the order of the client's.
fn parameters(method: &Method) -> String {
    let params = &method.params;
    let mut out = String::new();
    for (field, target) in params.capabilities() {
        let _ = write!(out, ", {}: {}", identifier(&field.name), capability_type(target));
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

fn dispatch(out: &mut String, interface: &Interface) {
    let (name, module) = (&interface.name, &interface.module);
    let _ = writeln!(
        out,
        "/// Lets `server` answer one call.\n\
         pub async fn serve_{module}(server: &impl {name}Server, request: Request) {{\nmatch request.method() {{"
    );
    for method in &interface.methods {
        let function = identifier(&method.name);
        let _ = writeln!(
            out,
            "schema::{} => match {function}(server, &request).await {{\n{}\n\
             Err(exception) => request.fail(exception),\n}},",
            upper(&method.name),
            reply(method)
        );
    }
    out.push_str("_ => request.fail(ExceptionCode::Unsupported.into()),\n}\n}\n\n");
}

/// The arm that sends what the server gave. A capability that was given for good is gone by the time it is dropped here,
/// unless nobody took it.
fn reply(method: &Method) -> String {
    let (pattern, source) = match Answer::of(method) {
        Answer::Unit => ("()".to_owned(), ""),
        Answer::Single(field) => (identifier(&field.name), ""),
        Answer::Plain(_) => {
            return "Ok(results) => request.reply(|out| results.encode(out), &[]),".to_owned();
        }
        Answer::Owned(_) => ("results".to_owned(), "results."),
    };
    let slots: Vec<String> = method
        .results
        .capabilities()
        .map(|(field, _)| format!("{source}{}.slot()", identifier(&field.name)))
        .collect();
    let value = match Answer::of(method) {
        Answer::Single(field) if matches!(field.kind, Kind::Text { .. } | Kind::Data { .. }) => {
            let name = identifier(&field.name);
            format!("schema::{} {{ {name}: &{name} }}", struct_name(method, Role::Results))
        }
        _ => message_value(method, Role::Results, source),
    };
    format!("Ok({pattern}) => request.reply(|out| {value}.encode(out), &[{}]),", slots.join(", "))
}

/// Reads the parameters and calls the server.
fn perform(out: &mut String, interface: &Interface, method: &Method) {
    let name = identifier(&method.name);
    let params = &method.params;
    let has_values = params.values().next().is_some();
    let binding = if has_values { "let params = " } else { "" };
    let kind = if params.is_empty() {
        "Empty".to_owned()
    } else {
        format!("schema::{}", struct_name(method, Role::Params))
    };
    let mut arguments = String::new();
    for (index, (_, target)) in params.capabilities().enumerate() {
        let convert = if *target == Target::Any { "" } else { ".into()" };
        let _ = write!(arguments, ", request.take_cap({index})?{convert}");
    }
    if params.is_wide() {
        arguments.push_str(", params");
    } else {
        let values = params.values().map(|field| format!(", params.{}", identifier(&field.name)));
        arguments.extend(values);
    }
    let _ = writeln!(
        out,
        "async fn {name}(server: &impl {}Server, request: &Request) -> Result<{}, Exception> {{\n\
         {binding}{kind}::decode(request.bytes())?;\nserver.{name}(&request.context(){arguments}).await\n}}\n",
        interface.name,
        answer_type(method)
    );
}
