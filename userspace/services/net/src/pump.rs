//! The pump: frames from the adapter to the stack, and from the stack to the adapter, through the deaths of its driver.

use crate::line::Line;
use crate::net::{Adapter, Net};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use capos_net::stack::{Offloads, Stack};
use core::convert::Infallible;
use kit::nic::Session;
use kit::queue::End;
use rt::ExceptionCode::Disconnected;
use rt::generated::NicClient;
use rt::{CallError, Either, give_way, log, select, spawn};

/// Frames that are taken in before what they set off is sent.
const BATCH: usize = 64;

/// Batches in a row before others of this process have their turn.
const BATCHES: u32 = 4;

/// How long until the driver is looked for again when it can not be used, nanoseconds.
const PAUSE_NS: u64 = 100_000_000;

/// How long a link may be gone before it is taken for another one, nanoseconds: addresses that are asked for anew end connections.
const ABSENCE_NS: u64 = 10_000_000_000;

/// Why there is no session any more.
enum Stop {
    /// The driver is gone, or its session.
    Over,
    Call(CallError),
    /// There is another adapter in the place of ours.
    Another,
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Stop::Call(error)
    }
}

impl From<End> for Stop {
    fn from(_: End) -> Self {
        Stop::Over
    }
}

/// Keeps the stack connected, until that can not be done: says why.
pub async fn keep(net: Rc<Net>, nic: Rc<NicClient>) -> String {
    spawn(watch_link(Rc::clone(&net), Rc::clone(&nic)));
    loop {
        let Err(stop) = session(&net, &nic).await;
        match stop {
            Stop::Another => return "it is another one".to_string(),
            Stop::Over => {}
            // The session was over before it had begun.
            Stop::Call(error) if error.is_disconnect() || error.exception() == Some(Disconnected) => {}
            Stop::Call(error) => {
                log::warn(format_args!("adapter: {error}"));
                if let Err(error) = pause(&net).await {
                    return error.to_string();
                }
            }
        }
    }
}

async fn pause(net: &Net) -> Result<(), CallError> {
    let now = net.clock.now()?;
    net.clock.timer().sleep_until(now.saturating_add(PAUSE_NS)).await
}

/// One session, from its beginning to its end.
async fn session(net: &Net, nic: &NicClient) -> Result<Infallible, Stop> {
    let info = nic.info().await?;
    let [_, _, mac @ ..] = info.mac.to_be_bytes();
    let mut counts = net.counts.get();
    counts.sessions += 1;
    let line = Line::open(nic, &info, counts).await?;
    let now = net.clock.now()?;
    let offloads = Offloads { sends: info.checksum, receives: info.checked, segments: [None; 2] };
    if !net.has(Adapter { mac, mtu: info.mtu, offloads }, now)? {
        return Err(Stop::Another);
    }
    let alarm = net.clock.timer().alarm(&line.session().signaller()?).await?;
    let session = line.session();
    net.begin(line, alarm);
    let stop = turn(net, &session).await;
    net.line.replace(None);
    stop
}

async fn turn(net: &Net, session: &Session) -> Result<Infallible, Stop> {
    let (mut frame, mut batches) = (Vec::new(), 0);
    loop {
        let seen = net.dirty.epoch();
        let has_more = take_in(net, &mut frame)?;
        let has_left = net.turn()?;
        net.look();
        if has_more || has_left {
            batches += 1;
            if batches % BATCHES == 0 {
                session.ring();
                give_way().await;
            }
            continue;
        }
        if net.dirty.epoch() != seen {
            continue;
        }
        let is_there = match session.rest() {
            Some(rested) => rested?,
            None => match select(net.dirty.since(seen), session.wait()).await {
                Either::First(()) => true,
                Either::Second(waited) => waited?,
            },
        };
        if !is_there {
            return Err(Stop::Over);
        }
    }
}

/// Takes in what came; whether there may be more.
fn take_in(net: &Net, frame: &mut Vec<u8>) -> Result<bool, Stop> {
    let mut line = net.line.borrow_mut();
    let (Some(line), now) = (line.as_mut(), net.clock.now()?) else { return Err(Stop::Over) };
    for _ in 0..BATCH {
        let Some(is_checked) = line.next(frame)? else { return Ok(false) };
        net.with(|stack| stack.take_in(frame, is_checked, line, now));
    }
    Ok(true)
}

/// Tells the stack when the link is back.
async fn watch_link(net: Rc<Net>, nic: Rc<NicClient>) {
    let (mut seen, mut gone) = (0, None);
    loop {
        match nic.link(seen).await {
            Ok(link) => {
                seen = link.changes;
                if net.is_up.replace(link.up) != link.up {
                    net.changed();
                    let Ok(now) = net.clock.now() else { return };
                    let since = if link.up { gone.take() } else { gone.replace(now) };
                    if since.is_some_and(|since: u64| now.saturating_sub(since) >= ABSENCE_NS) {
                        net.with(Stack::link_is_back);
                    }
                    net.dirty.notify();
                }
            }
            Err(_) => {
                seen = 0;
                if pause(&net).await.is_err() {
                    return;
                }
            }
        }
    }
}
