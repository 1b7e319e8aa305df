//! Lowers the struct of a method's parameters or results, and holds it to the flat subset.

use capnp::schema_capnp::{field, node, type_, value};

use super::nodes::Nodes;
use crate::fault::{Fault, Faults};
use crate::model::{Field, Kind, Message, Scalar, Target};
use crate::source::Place;

/// Most capabilities beside one message: `capos_abi::MAX_CAPS`.
const MAX_CAPS: usize = 16;

/// Whose message it is, for faults.
pub(super) struct Context<'a> {
    /// `Timer.sleepUntil: parameter`.
    pub(super) what: String,
    /// Where the method is.
    pub(super) place: &'a Place,
}

impl Context<'_> {
    fn fault(&self, field: &str, why: &str) -> Fault {
        Fault::at(self.place, format!("{} `{field}` {why}", self.what))
    }
}

/// Lowers the struct with this id.
pub(super) fn lower(nodes: &Nodes<'_>, id: u64, context: &Context<'_>) -> Result<Message, Fault> {
    let node = nodes.get(id)?;
    let node::Struct(details) = node.which()? else {
        return Err(Fault::at(context.place, format!("{}s are no struct", context.what)));
    };
    if node.get_scope_id() != 0 {
        let why = format!("{}s must be listed in parentheses, not named as a struct", context.what);
        return Err(Fault::at(context.place, why));
    }
    let mut message = Message {
        data_words: details.get_data_word_count(),
        pointers: details.get_pointer_count(),
        fields: Vec::new(),
    };
    for field in details.get_fields()? {
        message.fields.push(lower_field(nodes, field, context)?);
    }
    Ok(message)
}

fn lower_field(nodes: &Nodes<'_>, field: field::Reader<'_>, context: &Context<'_>) -> Result<Field, Fault> {
    let name = field.get_name()?.to_str()?.to_owned();
    let field::Slot(slot) = field.which()? else {
        return Err(context.fault(&name, "is a group; messages are flat"));
    };
    let (offset, default) = (slot.get_offset(), slot.get_default_value()?);
    let kind = match slot.get_type()?.which()? {
        type_::Text(()) => text(offset, default).ok_or_else(|| context.fault(&name, "has a default text"))?,
        type_::Data(()) => data(offset, default).ok_or_else(|| context.fault(&name, "has default data"))?,
        type_::Interface(target) => {
            let id = target.get_type_id();
            let target = Target::Interface { name: nodes.name(nodes.get(id)?)?, id };
            Kind::Capability { index: index(offset), target }
        }
        type_::AnyPointer(any) if is_capability(any)? => {
            Kind::Capability { index: index(offset), target: Target::Any }
        }
        other => {
            let Some(scalar) = scalar(nodes, other)? else {
                let why =
                    "has a type that messages do not carry: scalars, enums, capabilities, Text and Data do";
                return Err(context.fault(&name, why));
            };
            Kind::Scalar { offset: offset * scalar.bits(), scalar, default: default_bits(default)? }
        }
    };
    Ok(Field { name, kind })
}

/// The pointer section has at most `u16::MAX` words.
fn index(offset: u32) -> u16 {
    u16::try_from(offset).unwrap_or(u16::MAX)
}

fn text(offset: u32, default: value::Reader<'_>) -> Option<Kind> {
    match default.which() {
        Ok(value::Text(Ok(text))) if !text.is_empty() => None,
        _ => Some(Kind::Text { index: index(offset) }),
    }
}

fn data(offset: u32, default: value::Reader<'_>) -> Option<Kind> {
    match default.which() {
        Ok(value::Data(Ok(data))) if !data.is_empty() => None,
        _ => Some(Kind::Data { index: index(offset) }),
    }
}

fn is_capability(any: type_::any_pointer::Reader<'_>) -> Result<bool, Fault> {
    let type_::any_pointer::Unconstrained(any) = any.which()? else { return Ok(false) };
    Ok(matches!(any.which()?, type_::any_pointer::unconstrained::Capability(())))
}

fn scalar(nodes: &Nodes<'_>, kind: type_::WhichReader<'_>) -> Result<Option<Scalar>, Fault> {
    Ok(Some(match kind {
        type_::Bool(()) => Scalar::Bool,
        type_::Uint8(()) => Scalar::Unsigned(8),
        type_::Uint16(()) => Scalar::Unsigned(16),
        type_::Uint32(()) => Scalar::Unsigned(32),
        type_::Uint64(()) => Scalar::Unsigned(64),
        type_::Int8(()) => Scalar::Signed(8),
        type_::Int16(()) => Scalar::Signed(16),
        type_::Int32(()) => Scalar::Signed(32),
        type_::Int64(()) => Scalar::Signed(64),
        type_::Float32(()) => Scalar::Float(32),
        type_::Float64(()) => Scalar::Float(64),
        type_::Enum(kind) => Scalar::Enum(nodes.enum_ref(kind.get_type_id())?),
        _ => return Ok(None),
    }))
}

/// The bits of a scalar's default.
fn default_bits(default: value::Reader<'_>) -> Result<u64, Fault> {
    Ok(match default.which()? {
        value::Bool(value) => u64::from(value),
        value::Uint8(value) => u64::from(value),
        value::Uint16(value) | value::Enum(value) => u64::from(value),
        value::Uint32(value) => u64::from(value),
        value::Uint64(value) => value,
        value::Int8(value) => u64::from(value.cast_unsigned()),
        value::Int16(value) => u64::from(value.cast_unsigned()),
        value::Int32(value) => u64::from(value.cast_unsigned()),
        value::Int64(value) => value.cast_unsigned(),
        value::Float32(value) => u64::from(value.to_bits()),
        value::Float64(value) => value.to_bits(),
        _ => 0,
    })
}

/// Checks that capabilities precede bytes, that they are not too many, and that the kernel gets at most one Text or Data.
///
/// Scalars may be declared behind bytes: they lie in the data section anyway, and so a method that has a text can still grow.
pub(super) fn check_order(
    message: &Message,
    kernel_hosted: bool,
    context: &Context<'_>,
    faults: &mut Faults,
) {
    let mut bytes_before = None;
    for field in &message.fields {
        let is_capability = matches!(field.kind, Kind::Capability { .. });
        let is_bytes = matches!(field.kind, Kind::Text { .. } | Kind::Data { .. });
        match bytes_before {
            Some(before) if is_capability => {
                let why = format!("is a capability behind `{before}`; Text and Data come last");
                faults.0.push(context.fault(&field.name, &why));
            }
            Some(before) if is_bytes && kernel_hosted => {
                let why = format!(
                    "follows `{before}`; the kernel's messages have at most one Text or Data, which comes last"
                );
                faults.0.push(context.fault(&field.name, &why));
            }
            _ => {}
        }
        if is_bytes && bytes_before.is_none() {
            bytes_before = Some(field.name.as_str());
        }
    }
    if message.capabilities().count() > MAX_CAPS {
        let why = format!("{}s have more than {MAX_CAPS} capabilities", context.what);
        faults.0.push(Fault::at(context.place, why));
    }
}
