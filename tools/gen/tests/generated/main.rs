//! Compiles what the generator makes of the fixture's schema and runs it: clients call servers through a runtime of a few
//! lines ([`cap`], [`ipc`], [`serve`]), dispatch calls objects ([`kernel`]), and the Cap'n Proto compiler reads the messages.

extern crate alloc;
// Generated code names the schema crate; here that is this crate: the real one, with the fixture's messages beside it.
extern crate self as capos_schema;

pub use real_schema::{ANY, Decode, DecodeError, Empty, Encode, EncodeError, error, wire};

#[expect(missing_docs, reason = "as in the real schema crate")]
#[path = "../fixture/schema/src/generated/mod.rs"]
mod messages;
pub use messages::{INTERFACES, gate, shapes};

#[expect(dead_code, unused_imports, reason = "the tests need not call all there is")]
#[path = "../fixture/userspace/rt/src/generated/mod.rs"]
mod generated;

mod calls;
mod cap;
mod ipc;
mod kernel;
mod serve;
mod twins;

#[test]
fn the_index_lists_all_interfaces() {
    assert_eq!(INTERFACES, [("Gate", gate::INTERFACE_ID), ("Shapes", shapes::INTERFACE_ID)]);
}
