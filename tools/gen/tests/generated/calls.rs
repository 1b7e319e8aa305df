//! Clients call servers.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use capos_abi::{CapId, ExceptionCode, MAX_MESSAGE, TransferMode, TransferSlot};
use capos_schema::gate;
use capos_schema::shapes::{DefaultsParams, INTERFACE_ID, Kind, Mood, ScalarsParams, ScalarsResults};

use crate::cap::{Cap, Client, Outgoing, released};
use crate::generated::gate::GateClient;
use crate::generated::shapes::{ShapesClient, ShapesServer, SwapAnswer, TextsReply, serve_shapes};
use crate::ipc::{self, CallError};
use crate::serve::{CallContext, Exception, Request};

const SELF: CapId = CapId::new(3, 1);
const LEFT: CapId = CapId::new(4, 1);
const RIGHT: CapId = CapId::new(5, 9);

/// Runs a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Gives back what it gets.
struct Echo;

impl ShapesServer for Echo {
    async fn scalars(&self, _: &CallContext, params: ScalarsParams) -> Result<ScalarsResults, Exception> {
        let ScalarsParams { flag, byte, short, word, long, real, double, .. } = params;
        let ScalarsParams { last, tiny, int, half, mood, full, .. } = params;
        Ok(ScalarsResults { flag, byte, short, word, long, real, double, last, tiny, int, half, mood, full })
    }

    async fn defaults(
        &self,
        _: &CallContext,
        word: u32,
        flag: bool,
        short: i16,
        mood: Mood,
        double: f64,
    ) -> Result<bool, Exception> {
        Ok(DefaultsParams { word, flag, short, mood, double } == DefaultsParams::default())
    }

    async fn texts(
        &self,
        _: &CallContext,
        first: &str,
        second: &[u8],
        third: &str,
    ) -> Result<TextsReply, Exception> {
        Ok(TextsReply { first: first.into(), second: second.into(), third: third.into() })
    }

    async fn swap(
        &self,
        _: &CallContext,
        left: Cap,
        right: ShapesClient,
        note: &str,
    ) -> Result<SwapAnswer, Exception> {
        Ok(SwapAnswer { right: right.into(), left: (&left).into(), length: note.len() as u32 })
    }

    async fn nothing(&self, _: &CallContext) -> Result<(), Exception> {
        Ok(())
    }

    async fn gate(&self, _: &CallContext, gate: GateClient) -> Result<Outgoing, Exception> {
        Ok(gate.into())
    }

    async fn yield_(&self, cx: &CallContext, type_: u8) -> Result<String, Exception> {
        match type_ {
            0 => Err(ExceptionCode::NotFound.into()),
            255 => Ok("x".repeat(MAX_MESSAGE)),
            _ => Ok(format!("{type_} for {}", cx.badge)),
        }
    }

    async fn kind(&self, _: &CallContext, kind: Kind) -> Result<Kind, Exception> {
        Ok(kind)
    }
}

/// A client of [`Echo`].
fn shapes() -> ShapesClient {
    ipc::install(|request| ready(serve_shapes(&Echo, request)));
    ShapesClient::from(Cap(SELF))
}

#[test]
fn clients_know_their_interface() {
    assert_eq!(ShapesClient::ID, INTERFACE_ID);
    assert_eq!(GateClient::ID, gate::INTERFACE_ID);
    let client = shapes();
    assert_eq!(client.cap().0, SELF);
    assert_eq!(client.into_cap().0, SELF);
}

#[test]
fn scalars_come_back() {
    let params = ScalarsParams {
        flag: true,
        byte: 0xfe,
        short: -2,
        word: u32::MAX - 1,
        long: i64::MIN,
        real: -0.5,
        double: f64::MAX,
        last: true,
        tiny: i8::MIN,
        int: -5,
        half: 0xfffe,
        mood: Mood::Angry,
        full: u64::MAX,
    };
    let results = ready(shapes().scalars(params)).unwrap();
    assert_eq!((results.flag, results.byte, results.short, results.word), (true, 0xfe, -2, u32::MAX - 1));
    assert_eq!((results.long, results.real, results.double), (i64::MIN, -0.5, f64::MAX));
    assert_eq!((results.last, results.tiny, results.int, results.half), (true, i8::MIN, -5, 0xfffe));
    assert_eq!((results.mood, results.full), (Mood::Angry, u64::MAX));
}

#[test]
fn defaults_are_the_schemas() {
    let DefaultsParams { word, flag, short, mood, double } = DefaultsParams::default();
    assert_eq!((word, flag, short, mood, double), (7, true, -3, Mood::Angry, 1.5));
    assert_eq!(ready(shapes().defaults(word, flag, short, mood, double)), Ok(true));
    assert_eq!(ready(shapes().defaults(word + 1, flag, short, mood, double)), Ok(false));
}

#[test]
fn texts_come_back_owned() {
    let reply = ready(shapes().texts("one", b"two\0", "drei \u{e4}")).unwrap();
    let expected = TextsReply { first: "one".into(), second: b"two\0".into(), third: "drei \u{e4}".into() };
    assert_eq!(reply, expected);
    assert_eq!(shapes().texts_blocking("one", b"two\0", "drei \u{e4}"), Ok(expected));
    assert_eq!(ready(shapes().texts("", b"", "")), Ok(TextsReply::default()));
}

#[test]
fn a_call_says_what_it_is_and_what_it_has_room_for() {
    let client = shapes();
    ready(client.texts("a", b"b", "c")).unwrap();
    let sent = ipc::last();
    assert_eq!((sent.interface, sent.method), (INTERFACE_ID, 2));
    assert_eq!((sent.room, sent.room_for_caps), (MAX_MESSAGE, 0));
    ready(client.nothing()).unwrap();
    let sent = ipc::last();
    assert_eq!((sent.method, sent.room, sent.room_for_caps), (4, 0, 0));
    client.nothing_blocking().unwrap();
    let sent = ipc::last();
    assert_eq!((sent.interface, sent.method, sent.room_for_caps), (INTERFACE_ID, 4, 0));
}

#[test]
fn capabilities_keep_their_places() {
    let client = shapes();
    let (left, right) = (Cap(LEFT), ShapesClient::from(Cap(RIGHT)));
    let reply = ready(client.swap(&left, &right, "four")).unwrap();
    assert_eq!(ipc::last().slots, [TransferSlot::copy(LEFT), TransferSlot::copy(RIGHT)]);
    assert_eq!((reply.left.0, reply.right.cap().0, reply.length), (LEFT, RIGHT, 4));
}

#[test]
fn what_is_given_away_is_not_released_by_the_giver() {
    let client = shapes();
    let reply = client.swap_blocking(Cap(LEFT), ShapesClient::from(Cap(RIGHT)), "").unwrap();
    let sent = ipc::last();
    assert!(sent.slots.iter().all(|slot| slot.mode() == Some(TransferMode::Move)));
    assert_eq!(sent.room_for_caps, 2);
    // The server dropped the left one, of which it gave a copy, and the right one after it had moved on.
    assert_eq!(released(), [LEFT, RIGHT]);
    drop(reply);
    assert_eq!(released().len(), 2);
}

#[test]
fn what_was_refused_is_released() {
    ipc::install(|request: Request| request.fail(ExceptionCode::Denied.into()));
    let client = ShapesClient::from(Cap(SELF));
    let error = client.gate_blocking(GateClient::from(Cap(LEFT))).err();
    assert_eq!(error, Some(CallError::Exception(ExceptionCode::Denied.into())));
    assert_eq!(released(), [LEFT]);
}

#[test]
fn a_capability_alone_is_a_client() {
    let client = shapes();
    assert_eq!(ready(client.gate(&GateClient::from(Cap(LEFT)))).unwrap().cap().0, LEFT);
    let sent = ipc::last();
    assert_eq!((sent.room, sent.room_for_caps), (16, 1));
}

#[test]
fn words_of_rust_have_a_tail() {
    assert_eq!(ready(shapes().yield_(3)).as_deref(), Ok("3 for 77"));
    assert_eq!(shapes().yield_blocking(4).as_deref(), Ok("4 for 77"));
}

#[test]
fn enums_come_back() {
    for kind in Kind::ALL {
        assert_eq!(ready(shapes().kind(kind)), Ok(kind));
    }
    assert_eq!((Kind::Bad.name(), Mood::Calm.name()), ("bad", "calm"));
}

#[test]
fn exceptions_reach_the_caller() {
    let expected = CallError::Exception(ExceptionCode::NotFound.into());
    assert_eq!(ready(shapes().yield_(0)), Err(expected));
}

#[test]
fn parameters_that_do_not_fit_are_the_callers_fault() {
    let long = "x".repeat(MAX_MESSAGE);
    let error = ready(shapes().texts(&long, b"", "")).unwrap_err();
    assert!(matches!(error, CallError::Encode(_)));
}

#[test]
fn results_that_do_not_fit_are_the_servers_fault() {
    let expected = CallError::Exception(ExceptionCode::Failed.into());
    assert_eq!(ready(shapes().yield_(255)), Err(expected));
}

/// What [`Echo`] says to a call that no client of ours makes.
fn raw(method: u16, message: &[u8], slots: &[TransferSlot]) -> Result<Vec<u8>, ExceptionCode> {
    let (request, answer) = Request::new(method, message.to_vec(), slots.to_vec());
    ready(serve_shapes(&Echo, request));
    answer.take().expect("every call is answered").map(|reply| reply.message).map_err(|exception| exception.0)
}

#[test]
fn servers_refuse_unknown_methods() {
    for method in [8, 9, u16::MAX] {
        assert_eq!(raw(method, &[], &[]), Err(ExceptionCode::Unsupported));
    }
}

#[test]
fn servers_refuse_malformed_messages() {
    for method in 0..8 {
        assert_eq!(raw(method, &[1, 2, 3], &[]), Err(ExceptionCode::Malformed), "{method}");
    }
}

#[test]
fn servers_refuse_calls_without_their_capabilities() {
    assert_eq!(raw(5, &[], &[]), Err(ExceptionCode::InvalidArgument));
    assert_eq!(raw(3, &[], &[TransferSlot::copy(LEFT)]), Err(ExceptionCode::InvalidArgument));
}

#[test]
fn servers_take_empty_messages_for_defaults() {
    assert_eq!(raw(1, &[], &[]).map(|message| message.len()), Ok(16));
    assert_eq!(raw(4, &[], &[]), Ok(Vec::new()));
    assert_eq!(raw(7, &[], &[]).map(|message| message.len()), Ok(16), "a single word is written as it is");
}

#[test]
fn answers_without_their_capabilities_are_refused() {
    ipc::install(|request: Request| request.reply(|_| Ok(0), &[]));
    let client = ShapesClient::from(Cap(SELF));
    assert_eq!(client.gate_blocking(Cap(LEFT)).err(), Some(CallError::MissingCap));
}

#[test]
fn malformed_answers_are_refused() {
    ipc::install(|request: Request| request.reply(|_| Ok(3), &[]));
    let client = ShapesClient::from(Cap(SELF));
    assert!(matches!(client.kind_blocking(Kind::Good), Err(CallError::Decode(_))));
    assert!(matches!(client.nothing_blocking(), Err(CallError::Decode(_))));
    assert!(matches!(client.texts_blocking("", b"", ""), Err(CallError::Decode(_))));
}
