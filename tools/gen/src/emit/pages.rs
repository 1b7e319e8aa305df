//! The book's interface pages, from the same comments as the code.

use std::fmt::Write as _;

use super::HEADER;
use crate::model::{Enum, Field, Interface, Kind, Message, Method, Scalar, Schema, Target};

/// The page that lists all interfaces.
pub fn index(schema: &Schema) -> String {
    let mut out = format!("<!-- {HEADER} schema/*.capnp. -->\n# Interfaces\n\n");
    out.push_str(
        "Every capability has one of these interfaces, and its methods are all that its holder can do with it. The numbered\n\
         sentences on the pages are the behaviours that a caller may rely on; say `Timer.sleepUntil.1` to talk about one.\n\n",
    );
    out.push_str("| Interface | Served by | What it is |\n|---|---|---|\n");
    for interface in &schema.interfaces {
        let what = interface.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        let (name, page) = (&interface.name, &interface.module);
        let _ = writeln!(out, "| [{name}]({page}.md) | {} | {what} |", host(interface));
    }
    out
}

fn host(interface: &Interface) -> &'static str {
    if interface.kernel_hosted { "kernel" } else { "a process" }
}

/// One interface's page.
pub fn page(schema: &Schema, interface: &Interface) -> String {
    let Interface { name, module, id, doc, place, .. } = interface;
    let mut out = format!("<!-- {HEADER} {}. -->\n# {name}\n\n{doc}\n\n", place.file);
    let server = if interface.kernel_hosted {
        format!("the kernel, in `kernel/core/src/cap/{module}.rs`")
    } else {
        format!("any process that implements `rt::generated::{module}::{name}Server`")
    };
    let _ = writeln!(out, "- Served by: {server}\n- Called through: `rt::generated::{name}Client`");
    let _ = writeln!(out, "- Declared in: `{}`\n- Interface id: `{id:#018x}`\n", place.file);
    for method in &interface.methods {
        method_section(&mut out, interface, method);
    }
    for item in enums_of(schema, interface) {
        enum_section(&mut out, item);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn method_section(out: &mut String, interface: &Interface, method: &Method) {
    let _ = writeln!(out, "## {}\n\n```capnp\n{}\n```\n", method.name, signature(method));
    let mut behaviours = sentences(&method.doc);
    if method.end_of_stream {
        behaviours.push("Answers `endOfStream` when there will never be more.".to_owned());
    }
    for (index, behaviour) in behaviours.iter().enumerate() {
        let number = index + 1;
        let anchor = format!("{}.{}.{number}", interface.name, method.name);
        let _ = writeln!(out, "{number}. <a id=\"{anchor}\"></a>{behaviour}");
    }
    out.push('\n');
}

/// The method as a schema file declares it.
fn signature(method: &Method) -> String {
    let (params, results) = (fields(&method.params), fields(&method.results));
    format!("{} @{} ({params}) -> ({results});", method.name, method.ordinal)
}

fn fields(message: &Message) -> String {
    let fields: Vec<String> =
        message.fields.iter().map(|field| format!("{} :{}", field.name, type_name(field))).collect();
    fields.join(", ")
}

fn type_name(field: &Field) -> String {
    match &field.kind {
        Kind::Scalar { scalar, .. } => scalar.schema_name(),
        Kind::Capability { target: Target::Any, .. } => "Capability".to_owned(),
        Kind::Capability { target: Target::Interface { name, .. }, .. } => name.clone(),
        Kind::Text { .. } => "Text".to_owned(),
        Kind::Data { .. } => "Data".to_owned(),
    }
}

/// A comment's sentences, each on one line.
fn sentences(doc: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for word in doc.split_whitespace() {
        match out.last_mut() {
            Some(sentence) if open => {
                sentence.push(' ');
                sentence.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
        open = !word.ends_with('.');
    }
    out
}

/// The enums that an interface's methods use.
fn enums_of<'s>(schema: &'s Schema, interface: &'s Interface) -> impl Iterator<Item = &'s Enum> {
    let uses = |item: &Enum| {
        let messages = interface.methods.iter().flat_map(|method| [&method.params, &method.results]);
        messages.flat_map(|message| &message.fields).any(|field| {
            matches!(&field.kind, Kind::Scalar { scalar: Scalar::Enum(name), .. } if *name == item.name)
        })
    };
    schema.enums.iter().filter(move |item| uses(item))
}

fn enum_section(out: &mut String, item: &Enum) {
    let _ = writeln!(out, "## {}\n", item.name.name);
    if !item.doc.is_empty() {
        let _ = writeln!(out, "{}\n", item.doc);
    }
    out.push_str("| Value | Number | Meaning |\n|---|---|---|\n");
    for (ordinal, (value, doc)) in item.values.iter().enumerate() {
        let _ = writeln!(
            out,
            "| `{value}` | {ordinal} | {} |",
            doc.split_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
    out.push('\n');
}

/// The book's table of contents with one line per interface below that of their index, or `None` if it does not list that.
pub fn contents(schema: &Schema, summary: &str) -> Option<String> {
    let mut out = String::new();
    let mut found = false;
    for line in summary.lines() {
        let indent = line.len() - line.trim_start().len();
        if line.contains("](interfaces/index.md)") {
            found = true;
            let _ = writeln!(out, "{line}");
            for interface in &schema.interfaces {
                let _ = writeln!(
                    out,
                    "{:indent$}  - [{}](interfaces/{}.md)",
                    "", interface.name, interface.module
                );
            }
        } else if !line.contains("](interfaces/") {
            let _ = writeln!(out, "{line}");
        }
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{contents, sentences};
    use crate::model::Schema;

    #[test]
    fn sentences_are_split_at_full_stops() {
        let doc = "Completes at once. Or later,\nat `1.5` s.  Never.";
        assert_eq!(sentences(doc), ["Completes at once.", "Or later, at `1.5` s.", "Never."]);
        assert!(sentences("").is_empty());
    }

    #[test]
    fn old_pages_leave_the_contents() {
        let summary =
            "- [A](a.md)\n- [Interfaces](interfaces/index.md)\n  - [Old](interfaces/old.md)\n- [B](b.md)\n";
        let expected = "- [A](a.md)\n- [Interfaces](interfaces/index.md)\n- [B](b.md)\n";
        assert_eq!(contents(&Schema::default(), summary).as_deref(), Some(expected));
        assert_eq!(contents(&Schema::default(), "- [A](a.md)\n"), None);
    }
}
