//! The stack, and who works with it: the pump, which moves frames, and calls.

use crate::line::Line;
use crate::waiting::Waiting;
use capos_net::stack::{Link, Offloads, Settings, Stack};
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use kit::clock::Clock;
use rt::generated::{AlarmClient, EntropySourceClient, TimerClient};
use rt::{CallError, Exception, ExceptionCode, Signal};

/// Bytes that the buffers of all sockets may have. They are charged to this process: its budget has to have room for them.
const BUFFERS: usize = 12 << 20;

/// What the adapter is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Adapter {
    /// Its address.
    pub mac: [u8; 6],
    /// Bytes behind the Ethernet header of a frame.
    pub mtu: u16,
    /// What it takes off us.
    pub offloads: Offloads,
}

/// What was counted since the service began.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Frames that came, and their bytes.
    pub received: (u64, u64),
    /// Frames that were sent, and their bytes.
    pub sent: (u64, u64),
    /// Frames that were not, for want of room.
    pub dropped: u64,
    /// Sessions with drivers.
    pub sessions: u32,
}

/// All of it.
pub struct Net {
    /// As soon as there is an adapter.
    stack: RefCell<Option<Stack>>,
    adapter: Cell<Option<Adapter>>,
    /// Whether it has a link.
    pub is_up: Cell<bool>,
    settings: Option<Settings>,
    pub counts: Cell<Counts>,
    /// Somebody did something that the pump has to carry on.
    pub dirty: Signal,
    /// What `NetworkManager.status` tells of is another.
    pub news: Signal,
    changes: Cell<u32>,
    /// The stack's count of changes, and the routers', as of the last look.
    seen: Cell<(u32, u32)>,
    pub clock: Clock,
    /// The session with the adapter, while there is one, and what ends its waits in time.
    pub line: RefCell<Option<Line>>,
    alarm: RefCell<Option<AlarmClient>>,
    /// When that goes off.
    set: Cell<u64>,
    pub waiting: Waiting,
    entropy: EntropySourceClient,
}

impl Net {
    /// Without an adapter yet.
    pub fn new(timer: TimerClient, entropy: EntropySourceClient, settings: Option<Settings>) -> Net {
        Net {
            stack: RefCell::new(None),
            adapter: Cell::new(None),
            is_up: Cell::new(false),
            settings,
            counts: Cell::default(),
            dirty: Signal::new(),
            news: Signal::new(),
            changes: Cell::new(1),
            seen: Cell::new((0, 0)),
            clock: Clock::new(timer),
            line: RefCell::new(None),
            alarm: RefCell::new(None),
            set: Cell::new(u64::MAX),
            waiting: Waiting::default(),
            entropy,
        }
    }

    /// There is an adapter: the same as before, or the first one. False when it is another one: connections from its address can not go on.
    pub fn has(&self, adapter: Adapter, now: u64) -> Result<bool, CallError> {
        match self.adapter.get() {
            Some(before) => Ok(before == adapter),
            None => {
                let (mtu, secret) = (adapter.mtu.into(), [self.draw()?, self.draw()?]);
                let mut stack = Stack::new(adapter.mac, mtu, adapter.offloads, BUFFERS, secret, now);
                match &self.settings {
                    Some(settings) => stack.use_address(settings),
                    None => stack.use_dhcp(),
                }
                self.stack.replace(Some(stack));
                self.adapter.set(Some(adapter));
                self.changed();
                Ok(true)
            }
        }
    }

    /// A number that nobody knows.
    pub fn draw(&self) -> Result<u64, CallError> {
        let bytes = self.entropy.fill_blocking(8)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// The adapter, if there is one.
    pub fn adapter(&self) -> Option<Adapter> {
        self.adapter.get()
    }

    /// Whether addresses are asked for.
    pub fn uses_dhcp(&self) -> bool {
        self.settings.is_none()
    }

    /// The stack, if there is an adapter.
    #[inline]
    pub fn with<T>(&self, work: impl FnOnce(&mut Stack) -> T) -> Option<T> {
        self.stack.borrow_mut().as_mut().map(work)
    }

    /// For somebody who called: without an adapter there is no way anywhere.
    #[inline]
    pub fn work<T>(&self, work: impl FnOnce(&mut Stack) -> T) -> Result<T, Exception> {
        let done = self.with(work).ok_or(ExceptionCode::NotFound)?;
        self.dirty.notify();
        Ok(done)
    }

    /// Works until there is something to tell, whenever the stack wakes us.
    pub async fn until<T>(
        &self,
        mut work: impl FnMut(&mut Stack, &Waker) -> Option<T>,
    ) -> Result<T, Exception> {
        poll_fn(|cx: &mut Context<'_>| match self.with(|stack| work(stack, cx.waker())) {
            None => Poll::Ready(Err(ExceptionCode::NotFound.into())),
            Some(None) => Poll::Pending,
            Some(Some(done)) => {
                self.dirty.notify();
                Poll::Ready(Ok(done))
            }
        })
        .await
    }

    /// There is a session, with such an alarm.
    pub fn begin(&self, line: Line, alarm: AlarmClient) {
        self.line.replace(Some(line));
        self.alarm.replace(Some(alarm));
        self.set.set(u64::MAX);
    }

    /// Sends what there is to send, and answers who waits for what came. Whether there is more, and room for it.
    pub fn turn(&self) -> Result<bool, CallError> {
        let mut line = self.line.borrow_mut();
        let (Some(line), now) = (line.as_mut(), self.clock.now()?) else { return Ok(false) };
        let turned = self.with(|stack| {
            stack.turn(line, now);
            (stack.has_more(), stack.deadline())
        });
        let (has_more, deadline) = turned.unwrap_or_default();
        self.counts.set(line.counts);
        self.waiting.answer(self);
        if self.set.get() <= now {
            self.set.set(u64::MAX);
        }
        // It may go off too early: then nothing is due, and it is set anew.
        if let Some(deadline) = deadline.filter(|deadline| *deadline < self.set.get())
            && let Some(alarm) = &*self.alarm.borrow()
        {
            alarm.set_blocking(deadline)?;
            self.set.set(deadline);
        }
        Ok(has_more && line.has_room())
    }

    /// The same for who called: the driver hears of it now.
    #[inline]
    pub fn send(&self) {
        let has_more = self.turn();
        if let Some(line) = &*self.line.borrow() {
            line.session().ring();
        }
        if has_more != Ok(false) {
            self.dirty.notify();
        }
    }

    /// Something that `status` tells of is another.
    pub fn changed(&self) {
        self.changes.set(self.changes.get().wrapping_add(1).max(1));
        self.news.notify();
    }

    /// Counts changes.
    pub fn changes(&self) -> u32 {
        self.changes.get()
    }

    /// Looks whether addresses have changed.
    pub fn look(&self) {
        let seen = self.with(|stack| (stack.changes(), stack.said_by_routers().changes()));
        if let Some(seen) = seen.filter(|seen| *seen != self.seen.get()) {
            self.seen.set(seen);
            self.changed();
        }
    }
}
