//! Expressions that move a field between its struct and the words of a message.

use crate::model::{Field, Kind, Message, Scalar, Schema};
use crate::names::{identifier, pascal};

/// Rust type of a value field; `life` is put in front of what it borrows: `&'a ` or `&`.
pub(super) fn value_type(field: &Field, life: &str) -> String {
    match &field.kind {
        Kind::Scalar { scalar, .. } => scalar_type(scalar),
        Kind::Text { .. } => format!("{life}str"),
        Kind::Data { .. } => format!("{life}[u8]"),
        Kind::Capability { .. } => "()".to_owned(),
    }
}

/// Rust type of a scalar.
pub(super) fn scalar_type(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Bool => "bool".to_owned(),
        Scalar::Unsigned(bits) => format!("u{bits}"),
        Scalar::Signed(bits) => format!("i{bits}"),
        Scalar::Float(bits) => format!("f{bits}"),
        Scalar::Enum(name) => name.name.clone(),
    }
}

/// The array expression of the data section: each word the OR of the fields in it.
pub(super) fn data_words(message: &Message) -> String {
    let word = |index: u32| {
        let parts: Vec<String> = message.fields.iter().filter_map(|field| part(field, index)).collect();
        if parts.is_empty() { "0".to_owned() } else { parts.join(" | ") }
    };
    let words: Vec<String> = (0..u32::from(message.data_words)).map(word).collect();
    format!("[{}]", words.join(", "))
}

/// What a field contributes to data word `index`, if it lies there.
fn part(field: &Field, index: u32) -> Option<String> {
    let Kind::Scalar { scalar, offset, default } = &field.kind else { return None };
    if offset / 64 != index {
        return None;
    }
    let bits = widened(scalar, &identifier(&field.name));
    let bits = if *default == 0 { bits } else { format!("({bits} ^ {default:#x})") };
    Some(match offset % 64 {
        0 => bits,
        shift => format!("({bits} << {shift})"),
    })
}

/// The bits of `self.name` as `u64`.
fn widened(scalar: &Scalar, name: &str) -> String {
    match scalar {
        Scalar::Unsigned(64) => format!("self.{name}"),
        Scalar::Bool | Scalar::Unsigned(_) => format!("u64::from(self.{name})"),
        Scalar::Signed(64) => format!("self.{name}.cast_unsigned()"),
        Scalar::Signed(_) => format!("u64::from(self.{name}.cast_unsigned())"),
        Scalar::Float(64) => format!("self.{name}.to_bits()"),
        Scalar::Float(_) => format!("u64::from(self.{name}.to_bits())"),
        Scalar::Enum(_) => format!("u64::from(self.{name}.to_wire())"),
    }
}

/// The array expression of the pointer section.
pub(super) fn pointers(message: &Message) -> String {
    let pointers: Vec<String> = message
        .fields
        .iter()
        .filter_map(|field| match &field.kind {
            Kind::Scalar { .. } => None,
            Kind::Capability { .. } => Some("Pointer::Capability".to_owned()),
            Kind::Text { .. } => Some(format!("Pointer::Text(self.{})", identifier(&field.name))),
            Kind::Data { .. } => Some(format!("Pointer::Data(self.{})", identifier(&field.name))),
        })
        .collect();
    format!("[{}]", pointers.join(", "))
}

/// The expression that reads a value field from `message`.
pub(super) fn read(field: &Field) -> String {
    match &field.kind {
        Kind::Scalar { scalar, offset, default } => read_scalar(scalar, *offset, *default),
        Kind::Capability { index, .. } => format!("message.capability({index})?"),
        Kind::Text { index } => format!("message.text({index})?"),
        Kind::Data { index } => format!("message.bytes({index})?"),
    }
}

fn read_scalar(scalar: &Scalar, offset: u32, default: u64) -> String {
    let word = format!("message.data[{}]", offset / 64);
    let operand = match offset % 64 {
        0 => word,
        shift => format!("({word} >> {shift})"),
    };
    let (bits, operand) = match default {
        0 => (operand.clone(), operand),
        default => (format!("{operand} ^ {default:#x}"), format!("({operand} ^ {default:#x})")),
    };
    match scalar {
        Scalar::Bool => format!("{operand} & 1 != 0"),
        Scalar::Unsigned(64) => bits,
        Scalar::Unsigned(width) => format!("{operand} as u{width}"),
        Scalar::Signed(width) => format!("{operand} as i{width}"),
        Scalar::Float(64) => format!("f64::from_bits({bits})"),
        Scalar::Float(width) => format!("f{width}::from_bits({operand} as u{width})"),
        Scalar::Enum(name) => format!("{}::from_wire({operand} as u16)?", name.name),
    }
}

/// The value that a field has when its message does not say.
pub(super) fn default_value(schema: &Schema, field: &Field) -> String {
    let Kind::Scalar { scalar, default, .. } = &field.kind else { return "Default::default()".to_owned() };
    match scalar {
        Scalar::Bool => (*default != 0).to_string(),
        Scalar::Unsigned(_) => default.to_string(),
        Scalar::Signed(width) => {
            let unused = 64 - width;
            ((default << unused).cast_signed() >> unused).to_string()
        }
        Scalar::Float(width) => format!("f{width}::from_bits({default:#x})"),
        Scalar::Enum(name) => {
            let item = schema.enums.iter().find(|item| item.name == *name);
            let value = item.and_then(|item| item.values.get(usize::try_from(*default).ok()?));
            value.map_or_else(
                || "Default::default()".to_owned(),
                |(value, _)| format!("{}::{}", name.name, pascal(value)),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{data_words, default_value, pointers, read};
    use crate::model::{Field, Kind, Message, Scalar, Schema};

    fn scalar(name: &str, scalar: Scalar, offset: u32, default: u64) -> Field {
        Field { name: name.into(), kind: Kind::Scalar { scalar, offset, default } }
    }

    #[test]
    fn fields_share_words() {
        let fields =
            vec![scalar("low", Scalar::Unsigned(32), 0, 0), scalar("high", Scalar::Signed(16), 48, 0)];
        let message = Message { data_words: 2, pointers: 0, fields };
        assert_eq!(
            data_words(&message),
            "[u64::from(self.low) | (u64::from(self.high.cast_unsigned()) << 48), 0]"
        );
        assert_eq!(pointers(&message), "[]");
    }

    #[test]
    fn defaults_are_xored_on_both_ways() {
        let field = scalar("x", Scalar::Unsigned(8), 8, 5);
        assert_eq!(read(&field), "((message.data[0] >> 8) ^ 0x5) as u8");
        let message = Message { data_words: 1, pointers: 0, fields: vec![field] };
        assert_eq!(data_words(&message), "[((u64::from(self.x) ^ 0x5) << 8)]");
    }

    #[test]
    fn booleans_are_single_bits() {
        assert_eq!(read(&scalar("x", Scalar::Bool, 67, 0)), "(message.data[1] >> 3) & 1 != 0");
    }

    #[test]
    fn defaults_keep_their_sign() {
        let value = |kind, default| default_value(&Schema::default(), &scalar("x", kind, 0, default));
        assert_eq!(value(Scalar::Signed(16), 0xfffd), "-3");
        assert_eq!(value(Scalar::Signed(64), u64::MAX), "-1");
        assert_eq!(value(Scalar::Unsigned(16), 0xfffd), "65533");
        assert_eq!(value(Scalar::Bool, 1), "true");
    }
}
