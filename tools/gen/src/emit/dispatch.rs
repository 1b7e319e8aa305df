//! The kernel's dispatch table: from an object and a method number to the Rust method that implements it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{HEADER, Role, struct_name};
use crate::model::{Interface, Method, Schema};
use crate::names::{identifier, upper};

const FUNCTIONS: &str = "
/// Lets an object carry out `method` on `message`, the private copy of the caller's parameters.
pub(crate) fn dispatch(object: &Object, method: u16, message: &[u8], call: &mut Call<'_>) -> Outcome {
    route(object, method, message, call).unwrap_or(Outcome::error(TransportError::BadMessage))
}
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
    out.push_str(FUNCTIONS);
    interface_ids(&mut out, &hosted);
    route(&mut out, &hosted);
    out
}

fn imports(out: &mut String, hosted: &[&Interface]) {
    let modules: BTreeSet<&str> = hosted.iter().map(|interface| interface.module.as_str()).collect();
    let modules: Vec<&str> = modules.into_iter().collect();
    let empty = hosted.iter().flat_map(|interface| &interface.methods).any(|method| method.params.is_empty());
    let empty = if empty { " Empty," } else { "" };
    out.push_str("use capos_abi::TransportError;\n");
    let _ = writeln!(out, "use capos_schema::{{Decode, DecodeError,{empty} {}}};\n", modules.join(", "));
    out.push_str("use super::{Call, Object, Outcome};\n");
}

fn interface_ids(out: &mut String, hosted: &[&Interface]) {
    out.push_str("\n/// The interface that an object has for whoever holds it.\n");
    out.push_str("pub(crate) fn interface_id(object: &Object) -> u64 {\nmatch object {\n");
    for interface in hosted {
        let _ = writeln!(out, "Object::{}(_) => {}::INTERFACE_ID,", interface.name, interface.module);
    }
    out.push_str("Object::Client(client) => client.interface(),\n}\n}\n");
}

fn route(out: &mut String, hosted: &[&Interface]) {
    out.push_str(
        "\nfn route(object: &Object, method: u16, message: &[u8], call: &mut Call<'_>) \
         -> Result<Outcome, DecodeError> {\nOk(match object {\n",
    );
    for interface in hosted {
        let _ = writeln!(out, "Object::{}(object) => match method {{", interface.name);
        for method in &interface.methods {
            arm(out, interface, method);
        }
        out.push_str("_ => Outcome::error(TransportError::UnknownMethod),\n},\n");
    }
    out.push_str("// Calls of endpoint clients go to their server and not here.\n");
    out.push_str("Object::Client(_) => Outcome::error(TransportError::WrongKind),\n})\n}\n");
}

/// One method: reads its parameters and calls it. What has no value is only checked.
fn arm(out: &mut String, interface: &Interface, method: &Method) {
    let (module, name) = (&interface.module, identifier(&method.name));
    let ordinal = format!("{module}::{}", upper(&method.name));
    let params = format!("{module}::{}", struct_name(method, Role::Params));
    let _ = if method.params.is_empty() {
        writeln!(out, "{ordinal} => {{\nEmpty::decode(message)?;\nobject.{name}(call)\n}}")
    } else if method.params.values().next().is_none() {
        writeln!(out, "{ordinal} => {{\n{params}::decode(message)?;\nobject.{name}(call)\n}}")
    } else {
        writeln!(out, "{ordinal} => object.{name}(call, {params}::decode(message)?),")
    };
}
