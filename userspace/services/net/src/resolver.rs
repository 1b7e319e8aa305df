//! Who knows names: the cache, and the servers.

use crate::net::Net;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use capos_net::dns::{Answer, Family, answer, question};
use capos_net::names::Names;
use capos_net::stack::{FlowId, Rooms, Stack};
use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use rt::{Either, Exception, ExceptionCode, Signal, select};

/// Names that are remembered.
const NAMES: usize = 512;

/// The port of servers (RFC 1035 section 4.2.1).
const PORT: u16 = 53;

/// How long a server has, and how often all of them are asked. Nanoseconds.
const PATIENCE_NS: u64 = 2_000_000_000;
const ROUNDS: usize = 2;

/// Questions at a time; who comes later waits.
const QUESTIONS: usize = 16;

const ROOMS: Rooms = Rooms { receive: 4096, send: 2048 };

/// Longest answer without more ado (section 4.2.1), and then some that send more.
const LONGEST: usize = 1500;

/// The cache, and questions that are being asked.
pub struct Resolver {
    net: Rc<Net>,
    known: RefCell<Names>,
    /// Who else asks the same waits for the answer.
    asking: RefCell<BTreeMap<String, Rc<Signal>>>,
    over: Signal,
}

/// A question under way; its end, however it comes, is told.
struct Asking<'a> {
    resolver: &'a Resolver,
    name: String,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(over) = self.resolver.asking.borrow_mut().remove(&self.name) {
            over.notify();
        }
        self.resolver.over.notify();
    }
}

/// A socket that is closed whatever happens.
struct Bound<'a>(&'a Net, FlowId);

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        self.0.with(|stack| stack.unbind(self.1));
    }
}

impl Resolver {
    /// Nothing is known.
    pub fn new(net: Rc<Net>) -> Resolver {
        let (asking, over) = Default::default();
        Resolver { net, known: RefCell::new(Names::new(NAMES)), asking, over }
    }

    /// The addresses of a name.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Exception> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        if question(0, name, Family::V4).is_none() {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        loop {
            let now = self.now()?;
            if let Some(addresses) = self.known.borrow_mut().find(&name, now) {
                return if addresses.is_empty() {
                    Err(ExceptionCode::NotFound.into())
                } else {
                    Ok(addresses.to_vec())
                };
            }
            let other = self.asking.borrow().get(&name).map(Rc::clone);
            match other {
                Some(other) => other.wait().await,
                None if self.asking.borrow().len() >= QUESTIONS => self.over.wait().await,
                None => return self.ask(name).await,
            }
        }
    }

    fn now(&self) -> Result<u64, Exception> {
        self.net.clock.now().map_err(|_| ExceptionCode::Failed.into())
    }

    /// Asks for addresses of both kinds, and remembers them.
    async fn ask(&self, name: String) -> Result<Vec<IpAddr>, Exception> {
        self.asking.borrow_mut().insert(name.to_string(), Rc::default());
        let asking = Asking { resolver: self, name };
        let (mut addresses, mut seconds) = (Vec::new(), u32::MAX);
        for family in [Family::V4, Family::V6] {
            match self.ask_all(&asking.name, family).await? {
                Answer::Addresses(more, holds) => {
                    seconds = if more.is_empty() { seconds } else { seconds.min(holds) };
                    addresses.extend(more);
                }
                Answer::NoName => break,
                // Servers of names that have no address of one kind say so in many ways.
                Answer::Refused if addresses.is_empty() && family == Family::V6 => {
                    return Err(ExceptionCode::Failed.into());
                }
                Answer::Refused => {}
            }
        }
        addresses.truncate(8);
        self.known.borrow_mut().learn(&asking.name, &addresses, seconds, self.now()?);
        if addresses.is_empty() { Err(ExceptionCode::NotFound.into()) } else { Ok(addresses) }
    }

    /// Asks the servers one after the other until one answers.
    async fn ask_all(&self, name: &str, family: Family) -> Result<Answer, Exception> {
        let servers = self.net.with(|stack| stack.name_servers()).unwrap_or_default();
        let mut last = None;
        for server in core::iter::repeat_n(servers, ROUNDS).flatten() {
            match self.ask_one(server, name, family).await? {
                Some(Answer::Refused) => last = Some(Answer::Refused),
                Some(answer) => return Ok(answer),
                None => {}
            }
        }
        last.ok_or_else(|| ExceptionCode::Failed.into())
    }

    /// Asks one from a port and with a number that nobody can guess; nothing when it does not answer.
    async fn ask_one(&self, server: IpAddr, name: &str, family: Family) -> Result<Option<Answer>, Exception> {
        let drawn = self.net.draw().map_err(|_| ExceptionCode::Failed)?;
        let number = drawn as u16;
        let bound = self.net.work(|stack| {
            stack.stir(drawn);
            stack.any_port().and_then(|port| stack.bind(port, ROOMS))
        })?;
        let socket = Bound(&self.net, bound.ok_or(ExceptionCode::BudgetExhausted)?);
        let packet = question(number, name, family).ok_or(ExceptionCode::InvalidArgument)?;
        let to = SocketAddr::new(server, PORT);
        let sent = self.net.work(|stack| stack.send_datagram(socket.1, to, &packet, Waker::noop()))?;
        if sent != Ok(true) {
            return Ok(None);
        }
        let mut bytes = vec![0; LONGEST];
        let heard = self.net.until(|stack: &mut Stack, waker| {
            loop {
                let came = stack.receive_datagram(socket.1, &mut bytes, waker)?;
                let said = bytes.get(..came.length).and_then(|said| answer(said, number, name, family));
                if came.from == to && said.is_some() {
                    return said;
                }
            }
        });
        let end = self.net.clock.timer().sleep_until(self.now()?.saturating_add(PATIENCE_NS));
        match select(heard, end).await {
            Either::First(heard) => heard.map(Some),
            Either::Second(_) => Ok(None),
        }
    }
}
