//! The reference implementation of Cap'n Proto at the other end of the wire, with structs of any layout.

use capnp::message::{Builder, Reader, ReaderOptions, SegmentArray};
use capnp::private::layout::{PointerBuilder, PointerReader, StructBuilder, StructReader, StructSize};
use capnp::traits::{FromPointerBuilder, FromPointerReader};

/// A struct that the reference implementation reads.
pub struct Read<'a>(pub StructReader<'a>);

impl<'a> FromPointerReader<'a> for Read<'a> {
    fn get_from_pointer(
        reader: &PointerReader<'a>,
        default: Option<&'a [capnp::Word]>,
    ) -> capnp::Result<Self> {
        reader.get_struct(default).map(Read)
    }
}

impl Read<'_> {
    /// Text number `index` of the pointer section.
    pub fn text(&self, index: usize) -> String {
        self.0.get_pointer_field(index).get_text(None).unwrap().to_string().unwrap()
    }

    /// Data number `index` of the pointer section.
    pub fn data(&self, index: usize) -> Vec<u8> {
        self.0.get_pointer_field(index).get_data(None).unwrap().to_vec()
    }
}

/// Lets the reference implementation read a message of ours.
pub fn read<T>(message: &[u8], inspect: impl FnOnce(Read<'_>) -> T) -> T {
    // It demands aligned words, as our arenas give them.
    let mut words = capnp::Word::allocate_zeroed_vec((message.len() / 8).max(1));
    capnp::Word::words_to_bytes_mut(&mut words)[..message.len()].copy_from_slice(message);
    let segments = [capnp::Word::words_to_bytes(&words)];
    let reader = Reader::new(SegmentArray::new(&segments), ReaderOptions::new());
    let root: capnp::any_pointer::Reader<'_> = reader.get_root().unwrap();
    inspect(root.get_as().unwrap())
}

/// A struct of `D` data and `P` pointer words that the reference implementation writes.
pub struct Write<'a, const D: u16, const P: u16>(StructBuilder<'a>);

impl<'a, const D: u16, const P: u16> FromPointerBuilder<'a> for Write<'a, D, P> {
    fn init_pointer(builder: PointerBuilder<'a>, _: u32) -> Self {
        Write(builder.init_struct(StructSize { data: D, pointers: P }))
    }

    fn get_from_pointer(
        builder: PointerBuilder<'a>,
        default: Option<&'a [capnp::Word]>,
    ) -> capnp::Result<Self> {
        builder.get_struct(StructSize { data: D, pointers: P }, default).map(Write)
    }
}

impl<const D: u16, const P: u16> Write<'_, D, P> {
    /// Sets data word number `index`.
    pub fn word(&mut self, index: usize, value: u64) {
        self.0.set_data_field(index, value);
    }

    /// Sets text number `index` of the pointer section.
    pub fn text(&mut self, index: usize, text: &str) {
        self.0.reborrow().get_pointer_field(index).set_text(text.into());
    }

    /// Sets data number `index` of the pointer section.
    pub fn data(&mut self, index: usize, data: &[u8]) {
        self.0.reborrow().get_pointer_field(index).set_data(data);
    }
}

/// Lets the reference implementation write a message.
pub fn write<const D: u16, const P: u16>(fill: impl FnOnce(&mut Write<'_, D, P>)) -> Vec<u8> {
    let mut builder = Builder::new_default();
    fill(&mut builder.init_root());
    let segments = builder.get_segments_for_output();
    assert_eq!(segments.len(), 1, "the message is small");
    segments[0].to_vec()
}
