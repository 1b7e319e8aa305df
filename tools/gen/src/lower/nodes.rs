//! Finds one's way among the nodes of a request.

use std::collections::HashMap;
use std::path::Path;

use capnp::schema_capnp::{code_generator_request, node};

use crate::fault::Fault;
use crate::model::EnumRef;
use crate::names::snake;

/// The nodes and comments of a request, by id.
pub(super) struct Nodes<'r> {
    request: code_generator_request::Reader<'r>,
    nodes: HashMap<u64, node::Reader<'r>>,
    docs: HashMap<u64, node::source_info::Reader<'r>>,
}

impl<'r> Nodes<'r> {
    pub(super) fn new(request: code_generator_request::Reader<'r>) -> Result<Self, Fault> {
        let nodes = request.get_nodes()?.iter().map(|node| (node.get_id(), node)).collect();
        let docs = request.get_source_info()?.iter().map(|info| (info.get_id(), info)).collect();
        Ok(Nodes { request, nodes, docs })
    }

    pub(super) fn get(&self, id: u64) -> Result<node::Reader<'r>, Fault> {
        let missing = || Fault::of_file("capnp", format!("malformed request: no node {id:#x}"));
        self.nodes.get(&id).copied().ok_or_else(missing)
    }

    /// All interfaces of the files on the command line, nested ones included.
    pub(super) fn requested_interfaces(&self) -> Result<Vec<node::Reader<'r>>, Fault> {
        let mut found = Vec::new();
        let files = self.request.get_requested_files()?;
        let mut open: Vec<u64> = files.iter().map(|file| file.get_id()).collect();
        while let Some(id) = open.pop() {
            let node = self.get(id)?;
            open.extend(node.get_nested_nodes()?.iter().map(|nested| nested.get_id()));
            if matches!(node.which()?, node::Interface(_)) {
                found.push(node);
            }
        }
        Ok(found)
    }

    /// A node's own name, without its scope.
    pub(super) fn name(&self, node: node::Reader<'r>) -> Result<String, Fault> {
        let full = node.get_display_name()?.to_str()?;
        let prefix = node.get_display_name_prefix_length() as usize;
        Ok(full.get(prefix..).unwrap_or(full).to_owned())
    }

    /// Path of the file that declares a node.
    pub(super) fn file(&self, mut node: node::Reader<'r>) -> Result<String, Fault> {
        while node.get_scope_id() != 0 {
            node = self.get(node.get_scope_id())?;
        }
        Ok(node.get_display_name()?.to_str()?.to_owned())
    }

    /// Comments of a node and of its members, in the order of these.
    pub(super) fn docs(&self, id: u64) -> Result<(String, Vec<String>), Fault> {
        let Some(info) = self.docs.get(&id) else { return Ok((String::new(), Vec::new())) };
        let mut members = Vec::new();
        for member in info.get_members()? {
            members.push(member.get_doc_comment()?.to_str()?.trim_end().to_owned());
        }
        Ok((info.get_doc_comment()?.to_str()?.trim_end().to_owned(), members))
    }

    /// How we call the enum with this id: its module is that of the interface or file that declares it.
    pub(super) fn enum_ref(&self, id: u64) -> Result<EnumRef, Fault> {
        let node = self.get(id)?;
        let scope = self.get(node.get_scope_id())?;
        let module = match scope.which()? {
            node::Interface(_) => snake(&self.name(scope)?),
            _ => snake(&file_stem(&self.file(node)?)),
        };
        Ok(EnumRef { name: self.name(node)?, module })
    }

    /// The node of an enum that was named by [`Nodes::enum_ref`].
    pub(super) fn enum_node(&self, name: &EnumRef) -> Result<node::Reader<'r>, Fault> {
        for (id, node) in &self.nodes {
            if matches!(node.which()?, node::Enum(_)) && self.enum_ref(*id)? == *name {
                return Ok(*node);
            }
        }
        Err(Fault::of_file("capnp", format!("malformed request: no enum {}", name.name)))
    }
}

fn file_stem(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
