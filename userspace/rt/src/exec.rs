//! A small executor: one thread, futures over ring completions.
//!
//! [`block_on`] runs one future and beside it every task that [`spawn`] started. When nobody can go on it hands all queued
//! submissions to the kernel in one `cap_enter` and sleeps there. Wakers are task numbers of the thread that made them: they
//! must not travel to other threads, and nothing here is `Send`.

use crate::thread;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Turns of everybody who can go on before the kernel gets what was submitted, while somebody can.
const TURNS: u32 = 16;

/// The future that [`block_on`] was called with.
const MAIN: usize = usize::MAX;

#[derive(Default)]
struct Slot {
    /// `None` while it is being polled, and when the slot is free.
    future: Option<Task>,
    live: bool,
    queued: bool,
}

/// A thread's tasks.
pub(crate) struct Tasks {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
    /// Numbers of tasks to poll. Has room for all of them, so that waking never allocates.
    ready: RefCell<VecDeque<usize>>,
    main_ready: Cell<bool>,
    /// How many of them had their turn.
    turns: Cell<u64>,
}

impl Tasks {
    pub(crate) const fn new() -> Self {
        Tasks {
            slots: RefCell::new(Vec::new()),
            free: RefCell::new(Vec::new()),
            ready: RefCell::new(VecDeque::new()),
            main_ready: Cell::new(false),
            turns: Cell::new(0),
        }
    }

    fn add(&self, future: Task) {
        let mut slots = self.slots.borrow_mut();
        let number = self.free.borrow_mut().pop().unwrap_or(slots.len());
        let slot = Slot { future: Some(future), live: true, queued: false };
        match slots.get_mut(number) {
            Some(place) => *place = slot,
            None => slots.push(slot),
        }
        let mut ready = self.ready.borrow_mut();
        let missing = slots.len().saturating_sub(ready.len());
        ready.reserve(missing);
        drop((slots, ready));
        self.wake(number);
    }

    /// Whether there is no task.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.borrow().iter().all(|slot| !slot.live)
    }

    fn wake(&self, number: usize) {
        if number == MAIN {
            self.main_ready.set(true);
            return;
        }
        if let Some(slot) = self.slots.borrow_mut().get_mut(number)
            && slot.live
            && !slot.queued
        {
            slot.queued = true;
            self.ready.borrow_mut().push_back(number);
        }
    }

    /// Polls the tasks that were ready at the beginning.
    fn run_ready(&self) {
        let count = self.ready.borrow().len();
        for _ in 0..count {
            self.run_first();
        }
    }

    fn run_first(&self) {
        let Some(number) = self.ready.borrow_mut().pop_front() else { return };
        self.turns.set(self.turns.get() + 1);
        self.run(number);
    }

    fn run(&self, number: usize) {
        let future = match self.slots.borrow_mut().get_mut(number) {
            Some(slot) => {
                slot.queued = false;
                slot.future.take()
            }
            None => None,
        };
        let Some(mut future) = future else { return };
        let waker = waker(number);
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            if let Some(slot) = self.slots.borrow_mut().get_mut(number) {
                slot.future = Some(future);
            }
            return;
        }
        // Dropped before its slot is free: its destructors may wake or spawn.
        drop(future);
        if let Some(slot) = self.slots.borrow_mut().get_mut(number) {
            *slot = Slot::default();
        }
        self.free.borrow_mut().push(number);
    }

    /// How many will have had their turn when everybody had who is ready now.
    fn turns_ahead(&self) -> u64 {
        self.turns.get() + self.ready.borrow().len() as u64
    }

    /// Whether somebody can go on who is not just having his turn.
    #[inline]
    pub(crate) fn anything_ready(&self) -> bool {
        self.main_ready.get() || !self.ready.borrow().is_empty()
    }
}

const VTABLE: RawWakerVTable =
    RawWakerVTable::new(|number| RawWaker::new(number, &VTABLE), wake_number, wake_number, |_| {});

fn wake_number(number: *const ()) {
    thread::current().tasks.wake(number as usize);
}

fn waker(number: usize) -> Waker {
    // SAFETY: the data is a number, nothing is owned, and the functions accept any number. Waking on another thread than the
    // task's would wake that thread's task of the same number, which is allowed to happen at any time.
    unsafe { Waker::from_raw(RawWaker::new(core::ptr::without_provenance(number), &VTABLE)) }
}

/// Starts a task that runs while somebody is in [`block_on`]. It ends with its future, or with the process.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    thread::current().tasks.add(Box::pin(future));
}

/// Runs a future to its end, and every task beside it.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let thread = thread::current();
    let tasks = &thread.tasks;
    let mut future = pin!(future);
    let waker = waker(MAIN);
    tasks.main_ready.set(true);
    let mut turns = 0;
    loop {
        if tasks.main_ready.replace(false)
            && let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return value;
        }
        tasks.run_ready();
        if tasks.anything_ready() {
            turns += 1;
            // Tasks that wake each other must not keep submissions from the kernel.
            if turns % TURNS == 0 {
                thread.hand_over();
            }
        } else {
            assert!(thread.operations.borrow().in_flight() > 0, "every task waits and nothing is in flight");
            thread.wait();
        }
        thread.drain();
    }
}

/// Runs a future whose operations end with `timedOut` if they are not done at `at_ns`, nanoseconds since boot. What the future makes of that is
/// its own: a generated client's method gives the error. Blocking calls in it, and tasks that it spawns, have no deadline.
pub async fn with_deadline<F: Future>(at_ns: u64, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let current = &thread::current().deadline;
        let outer = current.get();
        // Zero stands for none, and the earliest counts.
        current.set(if outer == 0 { at_ns.max(1) } else { at_ns.clamp(1, outer) });
        let polled = future.as_mut().poll(cx);
        current.set(outer);
        polled
    })
    .await
}

/// Lets every task that can go on have its turn, and what was submitted go to the kernel.
pub async fn give_way() {
    let tasks = &thread::current().tasks;
    after_others(tasks).await;
    thread::current().hand_over();
}

/// Lets every task that can go on have its turn. Whoever waits for that may himself be among them, woken by something else, and ahead of others.
async fn after_others(tasks: &Tasks) {
    let mut until = None;
    poll_fn(|cx| {
        if until.is_some_and(|until| tasks.turns.get() >= until) {
            return Poll::Ready(());
        }
        until.get_or_insert_with(|| tasks.turns_ahead());
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Which of two futures was first.
pub enum Either<A, B> {
    /// The first one.
    First(A),
    /// The second one.
    Second(B),
}

/// Runs two futures until one is done; the other is dropped, which cancels what it has in flight. Pass `Pin<&mut F>` to keep it.
pub async fn select<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let mut a = pin!(a);
    let mut b = pin!(b);
    poll_fn(|cx| {
        if let Poll::Ready(value) = a.as_mut().poll(cx) {
            return Poll::Ready(Either::First(value));
        }
        b.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// Wakes tasks that wait for something another task of this thread does. Waiters look again at the state they wait for.
#[derive(Default)]
pub struct Signal {
    epoch: Cell<u64>,
    /// Who waits, in the order of their numbers. A wait that is over takes its entry away: one that loses against another in
    /// [`select`] again and again would otherwise fill the memory of a server that is never notified.
    waiting: RefCell<Vec<(u64, Waker)>>,
    next: Cell<u64>,
}

impl Signal {
    /// With nobody waiting.
    pub const fn new() -> Self {
        Signal { epoch: Cell::new(0), waiting: RefCell::new(Vec::new()), next: Cell::new(0) }
    }

    /// Wakes everybody who waits.
    pub fn notify(&self) {
        self.epoch.set(self.epoch.get().wrapping_add(1));
        if self.waiting.borrow().is_empty() {
            return;
        }
        for (_, waker) in self.waiting.take() {
            waker.wake();
        }
    }

    /// Waits for the next [`Signal::notify`] after this call.
    pub fn wait(&self) -> Since<'_> {
        self.since(self.epoch.get())
    }

    /// Counts the notifications.
    pub fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    /// Waits for the next [`Signal::notify`] after the count was `seen`.
    pub fn since(&self, seen: u64) -> Since<'_> {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        Since { signal: self, seen, number }
    }
}

/// A wait for a notification.
pub struct Since<'a> {
    signal: &'a Signal,
    seen: u64,
    number: u64,
}

impl Future for Since<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.epoch.get() != self.seen {
            return Poll::Ready(());
        }
        let mut waiting = self.signal.waiting.borrow_mut();
        match waiting.binary_search_by_key(&self.number, |(number, _)| *number) {
            Ok(at) => {
                if let Some((_, waker)) = waiting.get_mut(at) {
                    waker.clone_from(cx.waker());
                }
            }
            Err(at) => waiting.insert(at, (self.number, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Since<'_> {
    fn drop(&mut self) {
        let mut waiting = self.signal.waiting.borrow_mut();
        if let Ok(at) = waiting.binary_search_by_key(&self.number, |(number, _)| *number) {
            waiting.remove(at);
        }
    }
}

/// Lets tasks of this thread do something one after the other although it awaits in between.
#[derive(Default)]
pub struct Turn {
    taken: Cell<bool>,
    over: Signal,
}

/// The turn of whoever holds this.
pub struct TurnGuard<'a>(&'a Turn);

impl Turn {
    /// Nobody's.
    pub const fn new() -> Self {
        Turn { taken: Cell::new(false), over: Signal::new() }
    }

    /// Waits until it is ours.
    pub async fn take(&self) -> TurnGuard<'_> {
        while self.taken.replace(true) {
            self.over.wait().await;
        }
        TurnGuard(self)
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        self.0.taken.set(false);
        self.0.over.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::{Signal, Tasks, after_others};
    use core::pin::pin;
    use core::task::{Context, Waker};

    #[test]
    fn waits_that_are_over_leave_nothing_behind() {
        let signal = Signal::new();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..1000 {
            let mut wait = pin!(signal.wait());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            assert_eq!(signal.waiting.borrow().len(), 1);
        }
        assert!(signal.waiting.borrow().is_empty());
    }

    #[test]
    fn a_notification_ends_the_waits_before_it_and_no_later_one() {
        let signal = Signal::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut early = pin!(signal.wait());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        signal.notify();
        assert!(early.poll(&mut cx).is_ready());
        assert!(pin!(signal.since(0)).poll(&mut cx).is_ready());
        assert!(pin!(signal.wait()).poll(&mut cx).is_pending());
    }

    #[test]
    fn who_gives_way_waits_for_all_who_were_ready_even_if_he_was_one() {
        let tasks = Tasks::new();
        let mut cx = Context::from_waker(Waker::noop());
        // He himself, woken by something else, and another behind him.
        tasks.ready.borrow_mut().extend([0, 1]);
        let mut way = pin!(after_others(&tasks));
        for _ in 0..2 {
            assert!(way.as_mut().poll(&mut cx).is_pending());
            tasks.run_first();
        }
        assert!(way.poll(&mut cx).is_ready());
    }
}
