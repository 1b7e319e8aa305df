//! From the compiler's request to our model; refuses what capOS messages cannot carry.

mod message;
mod nodes;

use capnp::schema_capnp::{code_generator_request, method, node};

use crate::fault::{Fault, Faults};
use crate::model::{Enum, EnumRef, Interface, Method, Scalar, Schema};
use crate::names::snake;
use crate::request::Request;
use crate::source::{Place, Sources};
use nodes::Nodes;

/// Annotation `kernelHosted` of schema/capos.capnp.
const KERNEL_HOSTED: u64 = 0xc5a8_d2f1_b06e_4a02;
/// Annotation `endOfStream` of schema/capos.capnp.
const END_OF_STREAM: u64 = 0xc5a8_d2f1_b06e_4a03;

/// A schema cannot be malformed once the compiler accepted it; if the request is anyway, this says so.
impl From<capnp::Error> for Fault {
    fn from(error: capnp::Error) -> Self {
        Fault::of_file("capnp", format!("malformed request: {error}"))
    }
}

impl From<capnp::NotInSchema> for Fault {
    fn from(error: capnp::NotInSchema) -> Self {
        Fault::of_file("capnp", format!("compiler newer than this generator: {error}"))
    }
}

impl From<std::str::Utf8Error> for Fault {
    fn from(error: std::str::Utf8Error) -> Self {
        Fault::of_file("capnp", format!("malformed request: {error}"))
    }
}

/// Lowers a whole request.
pub fn lower(request: &Request, sources: &Sources) -> Result<Schema, Faults> {
    let root = request.get_root::<code_generator_request::Reader<'_>>().map_err(Fault::from)?;
    let nodes = Nodes::new(root)?;
    let mut faults = Faults::default();
    let mut schema = Schema::default();
    for node in nodes.requested_interfaces()? {
        let mut lowering = Lowering { nodes: &nodes, sources, faults: &mut faults };
        match lowering.interface(node) {
            Ok(interface) => schema.interfaces.push(interface),
            Err(fault) => faults.0.push(fault),
        }
    }
    schema.interfaces.sort_by(|a, b| a.module.cmp(&b.module));
    schema.enums = enums(&nodes, sources, &schema)?;
    for pair in schema.interfaces.windows(2) {
        if let [a, b] = pair
            && a.module == b.module
        {
            let message = format!("interface {}: {} has the same name", b.name, a.place.file);
            faults.0.push(Fault::at(&b.place, message));
        }
    }
    faults.check()?;
    Ok(schema)
}

/// Lowers one interface; collects faults that do not hinder it.
struct Lowering<'r, 's> {
    nodes: &'s Nodes<'r>,
    sources: &'s Sources,
    faults: &'s mut Faults,
}

impl<'r> Lowering<'r, '_> {
    fn interface(&mut self, node: node::Reader<'r>) -> Result<Interface, Fault> {
        let name = self.nodes.name(node)?;
        let place = self.sources.declaration(&self.nodes.file(node)?, "interface", &name);
        let node::Interface(details) = node.which()? else {
            return Err(Fault::at(&place, format!("{name} is no interface")));
        };
        let (doc, member_docs) = self.nodes.docs(node.get_id())?;
        if doc.is_empty() {
            self.faults
                .0
                .push(Fault::at(&place, format!("interface {name}: has no comment that says what it is")));
        }
        if !details.get_superclasses()?.is_empty() || node.get_is_generic() {
            let message = format!("interface {name}: may neither extend another one nor be generic");
            self.faults.0.push(Fault::at(&place, message));
        }
        let mut interface = Interface {
            module: snake(&name),
            name,
            id: node.get_id(),
            doc,
            kernel_hosted: has_annotation(node.get_annotations()?, KERNEL_HOSTED),
            place,
            methods: Vec::new(),
        };
        for (ordinal, method) in (0u16..).zip(details.get_methods()?) {
            let doc = member_docs.get(usize::from(ordinal)).cloned().unwrap_or_default();
            match self.method(&interface, ordinal, method, doc) {
                Ok(method) => interface.methods.push(method),
                Err(fault) => self.faults.0.push(fault),
            }
        }
        Ok(interface)
    }

    fn method(
        &mut self,
        owner: &Interface,
        ordinal: u16,
        method: method::Reader<'r>,
        doc: String,
    ) -> Result<Method, Fault> {
        let name = method.get_name()?.to_str()?.to_owned();
        let place = self.sources.member(&owner.place, &name, usize::from(ordinal));
        let what = format!("{}.{name}", owner.name);
        if doc.is_empty() {
            self.faults.0.push(Fault::at(&place, format!("{what}: has no comment that says what it does")));
        }
        if !method.get_implicit_parameters()?.is_empty() {
            return Err(Fault::at(&place, format!("{what}: may not be generic")));
        }
        let mut message = |id, role| {
            let context = message::Context { what: format!("{what}: {role}"), place: &place };
            let message = message::lower(self.nodes, id, &context)?;
            message::check_order(&message, owner.kernel_hosted, &context, self.faults);
            Ok::<_, Fault>(message)
        };
        let params = message(method.get_param_struct_type(), "parameter")?;
        let results = message(method.get_result_struct_type(), "result")?;
        let end_of_stream = has_annotation(method.get_annotations()?, END_OF_STREAM);
        Ok(Method { name, ordinal, doc, end_of_stream, place, params, results })
    }
}

/// Whether an annotation is among these.
fn has_annotation(
    list: capnp::struct_list::Reader<'_, capnp::schema_capnp::annotation::Owned>,
    id: u64,
) -> bool {
    list.iter().any(|annotation| annotation.get_id() == id)
}

/// The enums that messages of the schema use.
fn enums(nodes: &Nodes<'_>, sources: &Sources, schema: &Schema) -> Result<Vec<Enum>, Fault> {
    let methods = schema.interfaces.iter().flat_map(|interface| &interface.methods);
    let fields = methods.flat_map(|method| method.params.fields.iter().chain(&method.results.fields));
    let mut used: Vec<&EnumRef> = fields
        .filter_map(|field| match &field.kind {
            crate::model::Kind::Scalar { scalar: Scalar::Enum(name), .. } => Some(name),
            _ => None,
        })
        .collect();
    used.sort();
    used.dedup();
    used.into_iter().map(|name| lower_enum(nodes, sources, name)).collect()
}

fn lower_enum(nodes: &Nodes<'_>, sources: &Sources, name: &EnumRef) -> Result<Enum, Fault> {
    let node = nodes.enum_node(name)?;
    let node::Enum(details) = node.which()? else {
        return Err(Fault::at(&Place::default(), format!("{} is no enum", name.name)));
    };
    let (doc, docs) = nodes.docs(node.get_id())?;
    let mut values = Vec::new();
    for (index, enumerant) in details.get_enumerants()?.iter().enumerate() {
        let doc = docs.get(index).cloned().unwrap_or_default();
        values.push((enumerant.get_name()?.to_str()?.to_owned(), doc));
    }
    let place = sources.declaration(&nodes.file(node)?, "enum", &name.name);
    Ok(Enum { name: name.clone(), doc, place, values })
}
