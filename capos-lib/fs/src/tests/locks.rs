//! Who waits for whom.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::pending;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};

use crate::lock::{Guard, Lock};

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Task<'a> {
    future: Pin<Box<dyn Future<Output = Guard<'a>> + 'a>>,
    count: Arc<Count>,
}

impl<'a> Task<'a> {
    fn new(future: impl Future<Output = Guard<'a>> + 'a) -> Self {
        Task { future: Box::pin(future), count: Arc::default() }
    }

    fn poll(&mut self) -> Option<Guard<'a>> {
        match self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(self.count.clone()))) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }

    fn woken(&self) -> bool {
        self.count.0.swap(0, Ordering::Relaxed) > 0
    }
}

#[test]
fn many_look_or_one_changes_in_the_order_in_which_they_came() {
    let lock = Lock::default();
    let first = Task::new(lock.look()).poll().unwrap();
    let second = Task::new(lock.look()).poll().unwrap();
    let (mut writer, mut reader, mut another) =
        (Task::new(lock.change()), Task::new(lock.look()), Task::new(lock.look()));
    assert!(writer.poll().is_none() && reader.poll().is_none() && another.poll().is_none());
    drop(first);
    assert!(!writer.woken() && writer.poll().is_none());
    drop(second);
    assert!(writer.woken() && !reader.woken());
    assert!(reader.poll().is_none(), "the writer came first");
    let alone = writer.poll().unwrap();
    assert!(!reader.woken() && reader.poll().is_none());
    drop(alone);
    assert!(reader.woken() && !another.woken());
    let third = reader.poll().unwrap();
    assert!(another.woken() && another.poll().is_some());
    assert!(Task::new(lock.change()).poll().is_none());
    drop(third);
    assert!(Task::new(lock.change()).poll().is_some(), "who gave up waiting is forgotten");
}

#[test]
fn who_gives_up_lets_the_next_in() {
    let lock = Lock::default();
    let looks = Task::new(lock.look()).poll().unwrap();
    let (mut writer, mut reader) = (Task::new(lock.change()), Task::new(lock.look()));
    assert!(writer.poll().is_none() && reader.poll().is_none());
    drop(writer);
    assert!(reader.woken() && reader.poll().is_some());
    drop(looks);
}

#[test]
fn a_reader_that_waits_for_the_disk_holds_up_no_other() {
    let lock = Lock::default();
    let log = Rc::new(RefCell::new(Vec::new()));
    let slow = async {
        let _guard = lock.look().await;
        log.borrow_mut().push("slow");
        pending::<()>().await;
    };
    let mut slow = Box::pin(slow);
    let mut context = Context::from_waker(Waker::noop());
    assert!(slow.as_mut().poll(&mut context).is_pending());
    let fast = Task::new(lock.look()).poll();
    assert!(fast.is_some());
    drop((fast, slow));
    assert!(Task::new(lock.change()).poll().is_some());
    assert_eq!(*log.borrow(), ["slow"]);
}

#[test]
fn who_does_not_wait_looks_only_when_it_may() {
    let lock = Lock::default();
    let first = lock.try_look();
    let second = lock.try_look();
    assert!(first.is_some() && second.is_some());
    let mut change = Task::new(lock.change());
    assert!(change.poll().is_none() && lock.try_look().is_none(), "somebody waits to change");
    drop((first, second));
    let changing = change.poll();
    assert!(changing.is_some() && lock.try_look().is_none());
    drop(changing);
    assert!(lock.try_look().is_some(), "and what was refused holds nothing");
    let mut change = Task::new(lock.change());
    assert!(change.poll().is_some());
}
