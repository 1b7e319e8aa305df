//! The loop of a server whose answers may take time.

use crate::control::Control;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::future::poll_fn;
use core::mem;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use rt::serve::{Event, Receiver, Request};
use rt::{
    CallError, Cap, Either, Env, EnvError, Exception, ExceptionCode, Signal, TransportError, block_on,
    give_way, log, select, spawn,
};

/// Receives outstanding at a time.
const DEPTH: usize = 3;
/// Calls in hand that stay where they came, in memory that receives need, too: others are copied.
const IN_PLACE: usize = 3;

/// What answers.
pub trait Handler {
    /// Whether a call that was begun is carried out to its end though its client is gone, as one that changes several things has to be. Else
    /// it is dropped where it waits.
    const TO_THE_END: bool = false;

    /// Answers one call, however long it takes. If that is not at once it goes on in a task of its own.
    fn call(self: Rc<Self>, request: Request) -> impl Future<Output = ()> + 'static;

    /// Answers a call that needs nothing but what is in memory, right where it came: the cheapest way. Gives back what is for
    /// [`call`](Handler::call).
    fn at_once(&self, request: Request) -> Option<Request> {
        Some(request)
    }

    /// The last capability with this badge is gone.
    fn gone(&self, badge: u64);

    /// Whether a call may wait for something that perhaps never happens, a key that is typed. When another instance takes over, such calls are not
    /// waited for: they end with `disconnected`, and their clients make them again, there.
    fn may_wait(&self, request: &Request) -> bool {
        let _ = request;
        false
    }

    /// Ends when this, instance number `epoch` of the service, is ready to serve; until then the supervisor lets nobody who needs it start.
    fn ready(self: Rc<Self>, epoch: u32) -> impl Future<Output = Result<(), Exception>> + 'static {
        let _ = epoch;
        async { Ok(()) }
    }

    /// Whether all is well; with an exception the supervisor ends this instance and starts another. Being asked already tells that the
    /// executor turns, so most have nothing to add.
    fn well(&self) -> Result<(), Exception> {
        Ok(())
    }

    /// A capability that came after the start: see `Control.give`.
    fn given(&self, name: &str, epoch: u32, capability: Cap) -> Result<(), Exception> {
        let _ = (name, epoch, capability);
        Err(Exception::from(ExceptionCode::Unsupported))
    }
}

/// Takes the receive right that the parent granted as `serve`.
pub fn receiver(env: &mut Env) -> Result<Receiver, EnvError> {
    env.cap("serve").map(|endpoint| Receiver::new(endpoint, DEPTH))
}

/// Number of the export that a badge belongs to: the parent mints facets with it above the client's number. What is above it tells facets of
/// one client apart.
pub fn export_of(badge: u64) -> u32 {
    (badge >> 32) as u32 & 0xffff
}

/// Who left: one signal per badge that ever called and had to wait.
type Leaving = BTreeMap<u64, Rc<Signal>>;

/// Why a server stopped serving.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Another instance serves from now on, and what was received is answered, but for calls that may wait for ever. To exit with 0 is all that
    /// is left to do.
    Drained,
    /// Receiving failed.
    Failed(CallError),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Drained => f.write_str("another instance serves"),
            End::Failed(error) => write!(f, "receive: {error}"),
        }
    }
}

/// What a service does that has a life of its own beside what it serves: `start` makes both of what we were given, and then they run until one
/// of them ends. Work ends only when something is beyond repair; the supervisor starts us again.
///
/// Gives the exit code: 0 when another instance serves, else 1, and the log says why.
pub fn run<H: Handler + 'static, S: fmt::Display, E: fmt::Display, W: Future<Output = E>>(
    mut env: Env,
    start: impl FnOnce(&mut Env) -> Result<(Rc<H>, W), S>,
) -> i64 {
    let receiver = match receiver(&mut env) {
        Ok(receiver) => receiver,
        Err(error) => return failed(error),
    };
    let control = Control::take(&mut env);
    let (server, work) = match start(&mut env) {
        Ok(parts) => parts,
        Err(error) => return failed(error),
    };
    let served = serve_supervised(receiver, server, control);
    let exit = Rc::new(Exit::default());
    let known = Rc::clone(&exit);
    // A task of its own, so that what concerns the work does not ask whether somebody calls.
    spawn(async move {
        known.is(match served.await {
            End::Drained => 0,
            end => failed(end),
        });
    });
    let mut work = pin!(work);
    // The work last: it may be what this thread sleeps in.
    block_on(poll_fn(|cx| match exit.poll(cx) {
        Poll::Ready(code) => Poll::Ready(code),
        Poll::Pending => work.as_mut().poll(cx).map(failed),
    }))
}

/// The exit code, when serving has ended.
#[derive(Default)]
struct Exit {
    code: Cell<Option<i64>>,
    waker: Cell<Option<Waker>>,
}

impl Exit {
    fn is(&self, code: i64) {
        self.code.set(Some(code));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<i64> {
        let Some(code) = self.code.get() else {
            self.waker.set(Some(cx.waker().clone()));
            return Poll::Pending;
        };
        Poll::Ready(code)
    }
}

fn failed(why: impl fmt::Display) -> i64 {
    log::error(format_args!("{why}"));
    1
}

/// Calls that were received and not answered yet.
#[derive(Default)]
struct InHand {
    count: Cell<usize>,
    fewer: Signal,
}

impl InHand {
    fn one_more(self: &Rc<Self>) -> Counted {
        self.count.set(self.count.get() + 1);
        Counted(Rc::clone(self))
    }
}

/// A call in hand, until it is dropped.
struct Counted(Rc<InHand>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.fewer.notify();
    }
}

/// Serves until receiving fails, and gives the reason.
///
/// A call whose client is gone is dropped where it waits: its answer would reach nobody, and what it took, a key that was typed
/// or bytes of a line, would be lost to the client's successor.
pub async fn serve<H: Handler + 'static>(receiver: Receiver, handler: Rc<H>) -> CallError {
    match serve_until(receiver, handler, &Signal::new()).await {
        End::Failed(error) => error,
        End::Drained => CallError::Transport(TransportError::Canceled),
    }
}

/// Serves like [`serve`], and keeps what was promised to the supervisor: says when it is ready and that it is well, takes what it is given, and
/// makes room for another instance when it is asked to.
pub async fn serve_supervised<H: Handler + 'static>(
    receiver: Receiver,
    handler: Rc<H>,
    control: Option<Control>,
) -> End {
    let drain = Rc::new(Signal::new());
    if let Some(control) = control {
        control.serve(Rc::clone(&handler), Rc::clone(&drain));
    }
    serve_until(receiver, handler, &drain).await
}

async fn serve_until<H: Handler + 'static>(mut receiver: Receiver, handler: Rc<H>, drain: &Signal) -> End {
    let mut leaving = Leaving::new();
    let in_hand = Rc::new(InHand::default());
    let mut place = Place::new();
    let started = drain.epoch();
    loop {
        let rested = if drain.epoch() == started { receiver.rest() } else { None };
        let event = match rested {
            Some(event) => event,
            None => match select(drain.since(started), receiver.next_in_place()).await {
                Either::Second(event) => event,
                Either::First(()) => {
                    receiver.stop();
                    receiver.next_in_place().await
                }
            },
        };
        match event {
            Ok(Event::Call(request)) => {
                let Some(request) = handler.at_once(request) else { continue };
                let (badge, may_wait) = (request.context().badge(), handler.may_wait(&request));
                let stays = !may_wait && in_hand.count.get() < IN_PLACE;
                let request = if stays { request } else { request.kept() };
                place.put(|| Rc::clone(&handler).call(request));
                if poll_fn(|cx| Poll::Ready(Pin::new(&mut place).poll(cx).is_ready())).await {
                    continue;
                }
                let left = leaving.entry(badge).or_default();
                let (left, seen) = (Rc::clone(left), left.epoch());
                let counted = (!may_wait).then(|| in_hand.one_more());
                spawn(answer(H::TO_THE_END, mem::replace(&mut place, Place::new()), left, seen, counted));
            }
            Ok(Event::Unreferenced(badge)) => {
                if let Some(left) = leaving.remove(&badge) {
                    left.notify();
                }
                handler.gone(badge);
                // What it set off comes before what its client calls next.
                give_way().await;
            }
            Err(CallError::Transport(TransportError::Canceled)) if drain.epoch() != started => break,
            Err(error) => return End::Failed(error),
        }
    }
    while in_hand.count.get() > 0 {
        in_hand.fewer.wait().await;
    }
    End::Drained
}

/// One call that could not be answered at once, as long as its client is there.
async fn answer<F: Future<Output = ()>>(
    to_the_end: bool,
    call: Place<F>,
    left: Rc<Signal>,
    seen: u64,
    _counted: Option<Counted>,
) {
    if to_the_end {
        return call.await;
    }
    // First whether the client is still there: a call of one that is gone must not act in its name once more.
    select(left.since(seen), call).await;
}

/// Where a future is while it runs, and the next one after it: those that do not wait take no memory of their own.
struct Place<F>(Pin<Box<Option<F>>>);

impl<F: Future<Output = ()>> Place<F> {
    fn new() -> Self {
        Place(Box::pin(None))
    }

    /// Puts a future there. On its own, since futures may be large: a copy of this one is on the stack, and not below what it calls.
    #[inline(never)]
    fn put(&mut self, make: impl FnOnce() -> F) {
        self.0.set(Some(make()));
    }
}

impl<F: Future<Output = ()>> Future for Place<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.0.as_mut().as_pin_mut().map_or(Poll::Ready(()), |future| future.poll(cx));
        if polled.is_ready() {
            self.0.set(None);
        }
        polled
    }
}
