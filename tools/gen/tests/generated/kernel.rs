//! The kernel's dispatch table, with an object that notes how it was called.

use capos_abi::{ExceptionCode, TransportError};
use capos_schema::{Encode, gate};

#[path = "../fixture/kernel/core/src/cap/dispatch.rs"]
mod dispatch;

use dispatch::{dispatch, interface_id};

/// The objects of this kernel.
enum Object {
    Gate(Gate),
    Client(Client),
}

struct Gate;

/// A client facet of an endpoint.
struct Client(u64);

impl Client {
    fn interface(&self) -> u64 {
        self.0
    }
}

/// A call under way; the real one borrows from the caller's ring.
struct Call<'a> {
    seen: &'a mut Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Pending,
    Exception(ExceptionCode),
    Error(TransportError),
}

/// By these names the generated table and the objects make outcomes; the real one packs them into a word.
impl Outcome {
    const PENDING: Outcome = Outcome::Pending;

    fn exception(code: ExceptionCode) -> Outcome {
        Outcome::Exception(code)
    }

    fn error(error: TransportError) -> Outcome {
        Outcome::Error(error)
    }
}

impl Gate {
    fn plain(&self, call: &mut Call<'_>) -> Outcome {
        call.seen.push("plain".into());
        Outcome::Done
    }

    fn add(&self, call: &mut Call<'_>, params: gate::AddParams) -> Outcome {
        call.seen.push(format!("{} + {}", params.left, params.right));
        Outcome::PENDING
    }

    fn say(&self, call: &mut Call<'_>, params: gate::SayParams<'_>) -> Outcome {
        call.seen.push(params.text.into());
        Outcome::exception(ExceptionCode::Denied)
    }

    fn take(&self, call: &mut Call<'_>) -> Outcome {
        call.seen.push("take".into());
        Outcome::Done
    }

    fn label(&self, call: &mut Call<'_>, params: gate::LabelParams<'_>) -> Outcome {
        call.seen.push(params.name.into());
        Outcome::Done
    }
}

fn run(object: &Object, method: u16, message: &[u8]) -> (Outcome, Vec<String>) {
    let mut seen = Vec::new();
    let outcome = dispatch(object, method, message, &mut Call { seen: &mut seen });
    (outcome, seen)
}

fn encoded(message: &impl Encode) -> Vec<u8> {
    let mut out = vec![0; 256];
    let length = message.encode(&mut out).expect("there is room");
    out.truncate(length);
    out
}

const GATE: Object = Object::Gate(Gate);

#[test]
fn methods_get_their_parameters() {
    assert_eq!(run(&GATE, 0, &[]), (Outcome::Done, vec!["plain".into()]));
    let add = encoded(&gate::AddParams { left: 2, right: 3 });
    assert_eq!(run(&GATE, 1, &add), (Outcome::PENDING, vec!["2 + 3".into()]));
    let say = encoded(&gate::SayParams { text: "hello" });
    assert_eq!(run(&GATE, 2, &say), (Outcome::exception(ExceptionCode::Denied), vec!["hello".into()]));
    assert_eq!(run(&GATE, 3, &encoded(&gate::TakeParams)), (Outcome::Done, vec!["take".into()]));
    let label = encoded(&gate::LabelParams { name: "door" });
    assert_eq!(run(&GATE, 4, &label), (Outcome::Done, vec!["door".into()]));
}

#[test]
fn unknown_methods_reach_no_object() {
    for method in [5, 6, u16::MAX] {
        assert_eq!(run(&GATE, method, &[]), (Outcome::error(TransportError::UnknownMethod), vec![]));
    }
}

#[test]
fn malformed_messages_reach_no_object() {
    for method in 0..5 {
        assert_eq!(run(&GATE, method, &[9; 5]), (Outcome::error(TransportError::BadMessage), vec![]));
    }
}

#[test]
fn clients_of_endpoints_are_not_dispatched() {
    let client = Object::Client(Client(0x77));
    assert_eq!(run(&client, 0, &[]), (Outcome::error(TransportError::WrongKind), vec![]));
    assert_eq!(interface_id(&client), 0x77);
    assert_eq!(interface_id(&GATE), gate::INTERFACE_ID);
}
