//! The kernel's dispatch table, with an object that notes how it was called.

use capos_abi::{ExceptionCode, Sqe, TransportError};
use capos_schema::{Decode, Encode, gate as params};
use std::cell::{RefCell, RefMut};
use std::rc::Rc as Ref;

#[path = "../fixture/kernel/core/src/cap/dispatch.rs"]
mod dispatch;
mod gate;

use dispatch::{dispatch, interface_id};
use gate::Gate;

/// The objects of this kernel.
#[derive(Clone)]
enum Object {
    Gate(Gate),
    Client(Client),
}

/// A client facet of an endpoint.
#[derive(Clone)]
struct Client(u64);

impl Client {
    fn interface(&self) -> u64 {
        self.0
    }
}

/// Who calls: its table, the message that it wrote, and what the objects noted.
struct Thread {
    process: Process,
    message: Vec<u8>,
    seen: RefCell<Vec<String>>,
}

struct Process {
    table: Table,
}

/// One capability, under a lock that notices when it is taken twice.
struct Table(RefCell<Object>);

impl Table {
    fn lock(&self) -> RefMut<'_, Object> {
        self.0.borrow_mut()
    }
}

/// A call under way; the real one borrows from the caller's ring.
struct Call<'a> {
    thread: &'a Thread,
}

impl<'a> Call<'a> {
    fn new(thread: &'a Ref<Thread>, _: &'a Buffers) -> Self {
        Call { thread }
    }

    fn note(&self, what: impl Into<String>) {
        assert!(
            self.thread.process.table.0.try_borrow_mut().is_ok(),
            "the table is open while an object works"
        );
        self.thread.seen.borrow_mut().push(what.into());
    }
}

/// The words of a submission; the real ones are copied out of a ring.
struct Buffers {
    kind: Kind,
    answer: Span,
}

#[derive(Clone, Copy)]
struct Kind(u16);

impl Kind {
    fn method(self) -> u16 {
        self.0
    }
}

struct Span(u32);

impl Span {
    fn len(&self) -> u32 {
        self.0
    }
}

/// A submission; the real one lies in a ring.
struct Queued<'a>(&'a Sqe);

impl Queued<'_> {
    fn cap(&self) -> u64 {
        self.0.cap
    }
}

trait Serve {
    fn serve(&self, thread: &Ref<Thread>, buffers: &Buffers, message: &[u8]) -> Outcome;
}

fn named<'a>(table: &'a Object, cap: u64, _: &Queued<'_>) -> Result<&'a Object, TransportError> {
    if cap == 1 { Ok(table) } else { Err(TransportError::InvalidCap) }
}

fn refuse(_: &Ref<Thread>, _: &Queued<'_>, _: Kind, error: TransportError) -> Outcome {
    Outcome::error(error)
}

fn forward(_: &Ref<Thread>, facet: &Client, _: u64, _: &Queued<'_>, _: Kind, _: Way) -> Outcome {
    Outcome::Forwarded(facet.0)
}

fn serve(
    thread: &Ref<Thread>,
    object: &impl Serve,
    _: u64,
    call: &Queued<'_>,
    kind: Kind,
    _: Way,
) -> Outcome {
    object.serve(thread, &Buffers { kind, answer: Span(call.0.reply_len) }, &thread.message)
}

fn with<'a, P: Decode<'a>>(message: &'a [u8], room: bool, method: impl FnOnce(P) -> Outcome) -> Outcome {
    if !room {
        return Outcome::error(TransportError::ReplyTooLarge);
    }
    P::decode(message).map_or(Outcome::error(TransportError::BadMessage), method)
}

/// Whether the caller's server waits for it.
type Way = bool;

fn forward_directly(_: &Ref<Thread>, _: &Client, _: u64, _: &Queued<'_>, _: Kind, way: Way) -> bool {
    way
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Pending,
    Away,
    Forwarded(u64),
    Exception(ExceptionCode),
    Error(TransportError),
}

/// By these names the generated table and the objects make outcomes; the real one packs them into a word.
impl Outcome {
    const PENDING: Outcome = Outcome::Pending;
    const AWAY: Outcome = Outcome::Away;

    fn exception(code: ExceptionCode) -> Outcome {
        Outcome::Exception(code)
    }

    fn error(error: TransportError) -> Outcome {
        Outcome::Error(error)
    }
}

fn thread(object: Object, message: &[u8]) -> Ref<Thread> {
    let process = Process { table: Table(RefCell::new(object)) };
    Ref::new(Thread { process, message: message.to_vec(), seen: RefCell::default() })
}

fn run(object: &Object, method: u16, message: &[u8]) -> (Outcome, Vec<String>) {
    let thread = thread(object.clone(), message);
    let sqe = Sqe { cap: 1, method, reply_len: 4096, ..Sqe::default() };
    let outcome = dispatch(&thread, &Queued(&sqe), Kind(method), false);
    let seen = thread.seen.take();
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
    let add = encoded(&params::AddParams { left: 2, right: 3 });
    assert_eq!(run(&GATE, 1, &add), (Outcome::PENDING, vec!["2 + 3".into()]));
    let say = encoded(&params::SayParams { text: "hello" });
    assert_eq!(run(&GATE, 2, &say), (Outcome::exception(ExceptionCode::Denied), vec!["hello".into()]));
    assert_eq!(run(&GATE, 3, &encoded(&params::TakeParams)), (Outcome::Done, vec!["take".into()]));
    let label = encoded(&params::LabelParams { name: "door" });
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
fn what_could_not_be_answered_is_not_done() {
    // Method, and bytes of its answer: one word for the root, and the fields.
    for (method, least) in [(0, 0), (1, 16), (2, 16), (3, 16), (4, 0)] {
        for reply_len in [0, 8, 15, 16, 4096] {
            let thread = thread(GATE, &[]);
            let outcome = dispatch(
                &thread,
                &Queued(&Sqe { cap: 1, method, reply_len, ..Sqe::default() }),
                Kind(method),
                false,
            );
            let refused = outcome == Outcome::error(TransportError::ReplyTooLarge);
            assert_eq!(
                (refused, thread.seen.borrow().is_empty()),
                (reply_len < least, reply_len < least),
                "{method}"
            );
        }
    }
}

#[test]
fn what_is_not_held_is_not_reached() {
    let thread = thread(GATE, &[]);
    let outcome = dispatch(&thread, &Queued(&Sqe { cap: 2, ..Sqe::default() }), Kind(0), false);
    assert_eq!(outcome, Outcome::error(TransportError::InvalidCap));
    assert!(thread.seen.borrow().is_empty());
}

#[test]
fn calls_of_endpoints_clients_go_to_their_server() {
    let client = Object::Client(Client(0x77));
    assert_eq!(run(&client, 0, &[]), (Outcome::Forwarded(0x77), vec![]));
    let sqe = Sqe { cap: 1, ..Sqe::default() };
    assert_eq!(dispatch(&thread(client.clone(), &[]), &Queued(&sqe), Kind(0), true), Outcome::Away);
    assert_eq!(interface_id(&client), 0x77);
    assert_eq!(interface_id(&GATE), params::INTERFACE_ID);
}
