//! What a schema says, in the terms of capOS: interfaces, methods, and flat messages.

use crate::source::Place;

/// Everything that the schema files declare, in order of module names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Schema {
    /// All interfaces.
    pub interfaces: Vec<Interface>,
    /// The enums that methods of these use.
    pub enums: Vec<Enum>,
}

/// One interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// `IoPort`.
    pub name: String,
    /// `io_port`: the Rust module, the kernel's source file and the book's page.
    pub module: String,
    /// Its 64-bit id.
    pub id: u64,
    /// What its comment says.
    pub doc: String,
    /// Whether the kernel implements it.
    pub kernel_hosted: bool,
    /// Where it is declared.
    pub place: Place,
    /// By ordinal, without gaps.
    pub methods: Vec<Method>,
}

/// One method.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Method {
    /// `sleepUntil`.
    pub name: String,
    /// Its number.
    pub ordinal: u16,
    /// What its comment says; never empty.
    pub doc: String,
    /// Whether it answers `endOfStream` at the end.
    pub end_of_stream: bool,
    /// Where it is declared.
    pub place: Place,
    /// What it takes.
    pub params: Message,
    /// What it gives.
    pub results: Message,
}

/// The parameters or results of a method: a flat struct.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// Words of its data section.
    pub data_words: u16,
    /// Words of its pointer section.
    pub pointers: u16,
    /// In order of declaration.
    pub fields: Vec<Field>,
}

/// One field of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// `timeNs`.
    pub name: String,
    /// Where it lies and what it is.
    pub kind: Kind,
}

/// What a field is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// In the data section.
    Scalar {
        /// Its type.
        scalar: Scalar,
        /// Offset in bits.
        offset: u32,
        /// The bits that it has when the message does not say; they are XORed into the wire.
        default: u64,
    },
    /// Word `index` of the pointer section: a capability.
    Capability {
        /// Number of the pointer word, and so of the capability beside the message.
        index: u16,
        /// Which interface it must have.
        target: Target,
    },
    /// Word `index` of the pointer section: text.
    Text {
        /// Number of the pointer word.
        index: u16,
    },
    /// Word `index` of the pointer section: bytes.
    Data {
        /// Number of the pointer word.
        index: u16,
    },
}

/// The interface of a capability field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// `Capability`: any.
    Any,
    /// The named one.
    Interface {
        /// `MemoryObject`.
        name: String,
        /// Its id.
        id: u64,
    },
}

/// Types of the data section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// One bit.
    Bool,
    /// Unsigned number of 8, 16, 32 or 64 bits.
    Unsigned(u32),
    /// Signed number of 8, 16, 32 or 64 bits.
    Signed(u32),
    /// Floating-point number of 32 or 64 bits.
    Float(u32),
    /// The enum of this name, 16 bits.
    Enum(EnumRef),
}

/// Names an enum.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EnumRef {
    /// `LogLevel`.
    pub name: String,
    /// The module that it is generated into.
    pub module: String,
}

/// One enum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enum {
    /// Name and module.
    pub name: EnumRef,
    /// What its comment says.
    pub doc: String,
    /// Where it is declared.
    pub place: Place,
    /// By ordinal: name and comment.
    pub values: Vec<(String, String)>,
}

impl Message {
    /// The fields that are values: everything but capabilities.
    pub fn values(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !matches!(field.kind, Kind::Capability { .. }))
    }

    /// The capabilities, in their order.
    pub fn capabilities(&self) -> impl Iterator<Item = (&Field, &Target)> {
        self.fields.iter().filter_map(|field| match &field.kind {
            Kind::Capability { target, .. } => Some((field, target)),
            _ => None,
        })
    }

    /// Whether there is nothing at all in it.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether reading it borrows from the message.
    pub fn borrows(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.kind, Kind::Text { .. } | Kind::Data { .. }))
    }

    /// Whether a field has a default other than zero.
    pub fn has_defaults(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.kind, Kind::Scalar { default: 1.., .. }))
    }

    /// Whether there are too many fields to tell them apart by their order: they travel as a struct then.
    pub fn is_wide(&self) -> bool {
        self.fields.len() > 5
    }

    /// Whether a float is in it, so that it cannot be `Eq`.
    pub fn has_float(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.kind, Kind::Scalar { scalar: Scalar::Float(_), .. }))
    }
}

impl Scalar {
    /// How many bits it takes.
    pub fn bits(&self) -> u32 {
        match self {
            Scalar::Bool => 1,
            Scalar::Unsigned(bits) | Scalar::Signed(bits) | Scalar::Float(bits) => *bits,
            Scalar::Enum(_) => 16,
        }
    }

    /// Its type as a schema file spells it.
    pub fn schema_name(&self) -> String {
        match self {
            Scalar::Bool => "Bool".to_owned(),
            Scalar::Unsigned(bits) => format!("UInt{bits}"),
            Scalar::Signed(bits) => format!("Int{bits}"),
            Scalar::Float(bits) => format!("Float{bits}"),
            Scalar::Enum(name) => name.name.clone(),
        }
    }
}
