//! One connection.

use crate::body::Gathering;
use crate::fault::Fault;
use crate::head::{Head, Method, parse};
use crate::response::{Body, Response, Status};
use crate::scan::Scan;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Asked for by who waits for leave to send a body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Bytes that are thrown away of a peer that goes on after the last answer.
const THROWN: usize = 256 * 1024;

/// What one peer may take up. Times are nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a target.
    pub target: usize,
    /// Bytes of a head.
    pub head: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Requests of a connection; behind the last one it is closed.
    pub requests: u32,
    /// From one request to the next.
    pub idle_ns: u64,
    /// From the first byte of a head to its last: however slowly it comes, it has come by then.
    pub head_ns: u64,
    /// The same of a body.
    pub body_ns: u64,
    /// To take an answer.
    pub answer_ns: u64,
    /// How long what is still on its way is waited for before a connection is closed: closing sooner may take the last answer from the peer.
    pub linger_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Limits {
            target: 2048,
            head: 8192,
            body: 16 * 1024,
            requests: 10_000,
            idle_ns: 60 * SECOND,
            head_ns: 10 * SECOND,
            body_ns: 20 * SECOND,
            answer_ns: 60 * SECOND,
            linger_ns: 2 * SECOND,
        }
    }
}

/// A request with all of its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What is asked.
    pub head: Head,
    /// What with.
    pub body: Vec<u8>,
}

enum State {
    /// Waits for a head, or has part of one.
    Head {
        begun: bool,
    },
    /// Has a head and part of its body.
    Body {
        head: Box<Head>,
        body: Gathering,
    },
    /// Somebody thinks about the answer.
    Asked {
        method: Method,
        last: bool,
        modern: bool,
    },
    /// The last answer is on its way.
    Closing,
    /// It is out; what still comes is thrown away.
    Lingering {
        thrown: usize,
    },
    Over,
}

/// Bytes to send.
struct Output {
    head: Vec<u8>,
    body: Body,
    /// How much of both is out.
    at: usize,
}

impl Output {
    const fn none() -> Output {
        Output { head: Vec::new(), body: Body::Fixed(&[]), at: 0 }
    }

    fn rest(&self) -> &[u8] {
        match self.head.get(self.at..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => self.body.bytes().get(self.at - self.head.len()..).unwrap_or_default(),
        }
    }

    fn put(&mut self, head: &[u8], body: Body) {
        // Leave to go on may still be here.
        self.head.drain(..self.at.min(self.head.len()));
        self.head.extend_from_slice(head);
        (self.body, self.at) = (body, 0);
    }
}

/// One connection. Whoever has the socket tells what comes of it ([`Connection::receive`], [`Connection::end`], [`Connection::sent`]) and when its
/// time is over ([`Connection::on_time`]), answers requests ([`Connection::request`], [`Connection::respond`]), and sends
/// [`Connection::output`]. One request is under way at a time.
pub struct Connection {
    limits: Limits,
    state: State,
    input: Vec<u8>,
    scan: Scan,
    output: Output,
    deadline: Option<u64>,
    /// The peer sends no more.
    ended: bool,
    served: u32,
}

impl Connection {
    /// One that began now.
    pub fn new(limits: Limits, now: u64) -> Connection {
        Connection {
            limits,
            state: State::Head { begun: false },
            input: Vec::new(),
            scan: Scan::default(),
            output: Output::none(),
            deadline: Some(now.saturating_add(limits.idle_ns)),
            ended: false,
            served: 0,
        }
    }

    /// How many bytes are taken now; who has more of them waits until a request was answered.
    pub fn room(&self) -> usize {
        match self.state {
            State::Over => 0,
            State::Closing | State::Lingering { .. } => self.limits.head,
            // One more than a head may have, or nobody would notice.
            _ => (self.limits.head + 1).saturating_sub(self.input.len()),
        }
    }

    /// Bytes came; tells how many of them were taken.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let now = bytes.get(..self.room()).unwrap_or(bytes);
        match &mut self.state {
            State::Closing | State::Over => {}
            State::Lingering { thrown } => {
                *thrown += now.len();
                if *thrown > THROWN {
                    self.over();
                }
            }
            _ => self.input.extend_from_slice(now),
        }
        now.len()
    }

    /// The peer sends no more. What it has asked is still answered.
    pub fn end(&mut self) {
        self.ended = true;
        let waits =
            matches!(self.state, State::Head { .. }) && self.input.is_empty() && self.output().is_empty();
        if waits || matches!(self.state, State::Lingering { .. }) {
            self.over();
        }
    }

    /// The next request, if all of it is there and the one before was answered. What is none is refused.
    pub fn request(&mut self, now: u64) -> Option<Request> {
        if matches!(self.state, State::Head { .. })
            && self.output().is_empty()
            && let Err(fault) = self.look_at_head(now)
        {
            self.refuse(fault, now);
        }
        if !matches!(self.state, State::Body { .. }) {
            return None;
        }
        match self.look_at_body() {
            Ok(request) => request,
            Err(fault) => {
                self.refuse(fault, now);
                None
            }
        }
    }

    fn look_at_head(&mut self, now: u64) -> Result<(), Fault> {
        let found = self.scan.look(&self.input, self.limits.target, self.limits.head)?;
        let Some(span) = found else {
            if self.ended {
                self.over();
            } else if self.scan.has_begun() && !matches!(self.state, State::Head { begun: true }) {
                self.state = State::Head { begun: true };
                self.deadline = Some(now.saturating_add(self.limits.head_ns));
            }
            return Ok(());
        };
        let head = parse(self.input.get(span.start..span.end).unwrap_or_default())?;
        let body = Gathering::new(head.length, self.limits.body)?;
        self.input.drain(..span.end);
        self.scan = Scan::default();
        if head.expects && !body.is_whole() && self.input.is_empty() {
            self.output.put(CONTINUE, Body::Fixed(&[]));
        }
        self.state = State::Body { head: Box::new(head), body };
        self.deadline = Some(now.saturating_add(self.limits.body_ns));
        Ok(())
    }

    fn look_at_body(&mut self) -> Result<Option<Request>, Fault> {
        let State::Body { body, .. } = &mut self.state else { return Ok(None) };
        let taken = body.take(&self.input)?;
        self.input.drain(..taken);
        if !body.is_whole() {
            if self.ended {
                self.over();
            }
            return Ok(None);
        }
        let State::Body { head, body } = core::mem::replace(&mut self.state, State::Over) else {
            return Ok(None);
        };
        self.served = self.served.saturating_add(1);
        let last = head.last || self.served >= self.limits.requests;
        self.state = State::Asked { method: head.method, last, modern: head.modern };
        self.deadline = None;
        Ok(Some(Request { head: *head, body: body.into_bytes() }))
    }

    /// Answers the request that came last. Without one nothing happens.
    pub fn respond(&mut self, response: Response, now: u64) {
        let State::Asked { method, last, modern } = self.state else { return };
        let head = response.head(last, !modern);
        let silent = method == Method::Head || response.status() == Status::NotModified;
        let body = if silent { Body::Fixed(&[]) } else { response.into_body() };
        self.output.put(&head, body);
        self.state = if last { State::Closing } else { State::Head { begun: false } };
        self.deadline = Some(now.saturating_add(self.limits.answer_ns));
    }

    /// Nothing behind what is wrong can be understood, so it is the last answer.
    fn refuse(&mut self, fault: Fault, now: u64) {
        let response = Response::text(fault.status(), &alloc::format!("{fault}"));
        let head = response.head(true, false);
        self.output.put(&head, response.into_body());
        self.state = State::Closing;
        self.input = Vec::new();
        self.deadline = Some(now.saturating_add(self.limits.answer_ns));
    }

    /// What is to be sent next; empty when there is nothing.
    pub fn output(&self) -> &[u8] {
        self.output.rest()
    }

    /// So many bytes of it are out.
    pub fn sent(&mut self, count: usize, now: u64) {
        let count = count.min(self.output().len());
        self.output.at += count;
        if count == 0 || !self.output().is_empty() {
            return;
        }
        self.output = Output::none();
        match self.state {
            State::Head { .. } => {
                self.state = State::Head { begun: false };
                self.deadline = Some(now.saturating_add(self.limits.idle_ns));
                if self.ended && self.input.is_empty() {
                    self.over();
                }
            }
            State::Closing if self.ended => self.over(),
            State::Closing => {
                self.state = State::Lingering { thrown: 0 };
                self.deadline = Some(now.saturating_add(self.limits.linger_ns));
            }
            _ => {}
        }
    }

    /// When [`Connection::on_time`] is to be called, if nothing else comes first.
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// It is so late now.
    pub fn on_time(&mut self, now: u64) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        let waits = self.output().is_empty();
        match self.state {
            State::Head { begun: true } if waits => self.refuse(Fault::Late, now),
            State::Body { .. } => self.refuse(Fault::Late, now),
            // Who has nothing to say needs no answer, and who takes none gets none.
            _ => self.over(),
        }
    }

    /// Whether nothing more is said: the socket's own direction is to be shut down, and what comes read until all is over.
    pub fn is_silent(&self) -> bool {
        matches!(self.state, State::Lingering { .. } | State::Over)
    }

    /// Whether the socket is to be closed.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn over(&mut self) {
        self.state = State::Over;
        (self.input, self.output, self.deadline) = (Vec::new(), Output::none(), None);
    }
}
