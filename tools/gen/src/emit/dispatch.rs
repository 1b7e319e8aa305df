//! The kernel's dispatch table: from an object and a method number to the Rust method that implements it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{HEADER, Role, struct_name};
use crate::model::{Interface, Message, Method, Schema};
use crate::names::{identifier, upper};

const DISPATCH: &str = "
/// Calls the object that a submission names, or hands the call to its server; directly if it may go that way.
#[inline(always)]
pub(crate) fn dispatch(thread: &Ref<Thread>, call: &Queued<'_>, kind: Kind, way: Way) -> Outcome {
    let table = thread.process.table.lock();
    // Read once: the program may change the word.
    let cap = call.cap();
    let object = match named(&table, cap, call) {
        Ok(object) => object,
        Err(error) => return refuse(thread, call, kind, error),
    };
    // Each arm opens the table again before the object does anything: it may want to look into it.
    match object {
";

/// All of `kernel/core/src/cap/dispatch.rs`.
pub fn dispatch(schema: &Schema) -> String {
    let hosted: Vec<&Interface> =
        schema.interfaces.iter().filter(|interface| interface.kernel_hosted).collect();
    let mut out = format!(
        "//! {HEADER} schema/*.capnp: change these, then `cargo run -p gen -- write`.\n//!\n\
         //! An interface that says `kernelHosted` must be a variant of [`Object`] and have all its methods, or this does not\n\
         //! compile.\n\n"
    );
    imports(&mut out, &hosted);
    table(&mut out, &hosted);
    interface_ids(&mut out, &hosted);
    for interface in hosted {
        serve(&mut out, interface);
    }
    out
}

fn imports(out: &mut String, hosted: &[&Interface]) {
    let modules: BTreeSet<&str> = hosted.iter().map(|interface| interface.module.as_str()).collect();
    let modules: Vec<&str> = modules.into_iter().collect();
    let empty = hosted.iter().flat_map(|interface| &interface.methods).any(|method| method.params.is_empty());
    let empty = if empty { "Empty, " } else { "" };
    out.push_str("use capos_abi::TransportError;\n");
    let _ = writeln!(out, "use capos_schema::{{{empty}{}}};\n", modules.join(", "));
    out.push_str(
        "use super::{\nBuffers, Call, Kind, Object, Outcome, Queued, Ref, Serve, Thread, Way, forward, forward_directly, named, refuse, serve, with,\n};\n",
    );
}

/// The one place where it is decided whom a call is for.
fn table(out: &mut String, hosted: &[&Interface]) {
    out.push_str(DISPATCH);
    for interface in hosted {
        let _ = writeln!(
            out,
            "Object::{}(object) => {{\nlet object = object.clone();\ndrop(table);\nserve(thread, &object, cap, call, kind, way)\n}}",
            interface.name
        );
    }
    out.push_str(
        "Object::Client(facet) => {\nif forward_directly(thread, facet, cap, call, kind, way) {\nreturn Outcome::AWAY;\n}\nlet facet = facet.clone();\ndrop(table);\nforward(thread, &facet, cap, call, kind, way)\n}\n}\n}\n",
    );
}

fn interface_ids(out: &mut String, hosted: &[&Interface]) {
    out.push_str("\n/// The interface that an object has for whoever holds it.\n");
    out.push_str("pub(crate) fn interface_id(object: &Object) -> u64 {\nmatch object {\n");
    for interface in hosted {
        let _ = writeln!(out, "Object::{}(_) => {}::INTERFACE_ID,", interface.name, interface.module);
    }
    out.push_str("Object::Client(client) => client.interface(),\n}\n}\n");
}

/// The methods of one interface.
fn serve(out: &mut String, interface: &Interface) {
    let Interface { name, module, .. } = interface;
    let _ = writeln!(
        out,
        "\nimpl Serve for super::{module}::{name} {{\n\
         #[inline(always)]\n\
         fn serve(&self, thread: &Ref<Thread>, buffers: &Buffers, message: &[u8]) -> Outcome {{\n\
         let call = &mut Call::new(thread, buffers);\nmatch buffers.kind.method() {{"
    );
    for method in &interface.methods {
        arm(out, interface, method);
    }
    out.push_str("_ => Outcome::error(TransportError::UnknownMethod),\n}\n}\n}\n");
}

/// Whether there is room for the answer, as far as its length is known. Asked first: what was done can not be answered otherwise.
fn room(results: &Message) -> String {
    if results.is_empty() {
        return "true".to_owned();
    }
    format!(
        "buffers.answer.len() >= {}",
        8 * (1 + u32::from(results.data_words) + u32::from(results.pointers))
    )
}

/// One method: reads its parameters and calls it. What has no value is only checked.
fn arm(out: &mut String, interface: &Interface, method: &Method) {
    let (module, name) = (&interface.module, identifier(&method.name));
    let ordinal = format!("{module}::{}", upper(&method.name));
    let params = format!("{module}::{}", struct_name(method, Role::Params));
    let (pattern, argument) = if method.params.is_empty() {
        ("Empty".to_owned(), "")
    } else if method.params.values().next().is_none() {
        (format!("_: {params}"), "")
    } else {
        (format!("params: {params}"), ", params")
    };
    let _ = writeln!(
        out,
        "{ordinal} => with(message, {}, |{pattern}| self.{name}(call{argument})),",
        room(&method.results)
    );
}
