//! Every method of every kernel object and every ring operation under every shortage: the nth allocation of the heap fails, the nth of
//! frames, and each resource of the budget has n units left, for every n until it works. What fails says whose shortage it is and
//! leaves everything as it was; afterwards the same works.
//!
//! The lists of methods and operations come from the dispatcher and from the ABI: one without a case fails the test.

mod methods;
mod operations;

use super::{User, World, audit};
use capos_abi::{Cqe, ExceptionCode, Sqe, TransportError, ring::cqe_flags};
use capos_mem::{RESOURCES, Resource};
use kernel_hal::fake::{fail_nth_allocation, fail_nth_frames, never_fail};
use kernel_hal::mem;
use std::vec::Vec;

/// What one run needs, and the submission that is to be tried.
struct Scene {
    user: User,
    sqe: Sqe,
    /// Others that take part.
    others: Vec<User>,
    /// Processes that are to live as long.
    _keeps: Vec<super::Ref<crate::task::process::Process>>,
}

impl Scene {
    fn new(user: User, sqe: Sqe) -> Self {
        Scene { user, sqe, others: Vec::new(), _keeps: Vec::new() }
    }
}

/// A way to make a scene, by name.
struct Case {
    name: &'static str,
    scene: fn(&World) -> Scene,
}

/// What is short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shortage {
    /// The heap's nth allocation fails.
    Heap,
    /// The nth allocation of frames fails.
    Frames,
    /// So much of the budget is left.
    Budget(Resource),
}

/// What came of one try.
#[derive(PartialEq, Eq, Debug)]
enum Came {
    /// It worked, or is under way.
    Done,
    /// The machine has no memory.
    OutOfMemory,
    /// Somebody's budget is used up.
    Exhausted,
    /// Anything else.
    Other(Cqe),
}

/// Everything that must be as before when an operation fails.
#[derive(PartialEq, Eq, Debug)]
struct Books {
    machine: [u64; RESOURCES],
    users: Vec<([u64; RESOURCES], usize, bool)>,
    processes: usize,
    threads: u64,
    free_pages: u64,
}

fn books(world: &World, scene: &Scene) -> Books {
    let users = core::iter::once(&scene.user).chain(&scene.others).map(|user| {
        let process = user.process();
        let used = Resource::ALL.map(|it| process.account.used(it));
        let slots = process.table.lock().len();
        (used, slots, user.thread.is_dead())
    });
    Books {
        machine: Resource::ALL.map(|it| world.machine.used(it)),
        users: users.collect(),
        processes: crate::task::registry::processes(),
        threads: crate::task::registry::threads(),
        free_pages: mem::free_pages(),
    }
}

fn came(cqe: Option<Cqe>) -> Came {
    let Some(cqe) = cqe else { return Came::Done };
    if cqe.flags & cqe_flags::EXCEPTION != 0 {
        return match ExceptionCode::from_code(cqe.method) {
            ExceptionCode::OutOfMemory => Came::OutOfMemory,
            ExceptionCode::BudgetExhausted => Came::Exhausted,
            _ => Came::Other(cqe),
        };
    }
    match TransportError::from_code(cqe.result) {
        _ if cqe.result >= 0 => Came::Done,
        Some(TransportError::OutOfMemory) => Came::OutOfMemory,
        Some(TransportError::BudgetExhausted | TransportError::QueueFull) => Came::Exhausted,
        _ => Came::Other(cqe),
    }
}

/// One try with the `n`th shortage. Also says whether the shortage was met.
fn attempt(scene: &Scene, shortage: Shortage, n: u64) -> (Came, bool) {
    let user = &scene.user;
    user.submit(scene.sqe);
    user.run();
    let account = &user.process().account;
    let mut taken = 0;
    match shortage {
        Shortage::Heap => fail_nth_allocation(n),
        Shortage::Frames => fail_nth_frames(n),
        Shortage::Budget(resource) => {
            taken = account.left(resource).saturating_sub(n);
            account.charge(resource, taken).expect("it is left");
        }
    }
    // The books are looked into when everything is disarmed and given back.
    audit::from_now_on(false);
    user.poll();
    while user.thread.context.take_repeated().is_some() {
        user.poll();
    }
    audit::from_now_on(true);
    let met = match shortage {
        Shortage::Budget(resource) => {
            account.refund(resource, taken);
            taken > 0
        }
        _ => !never_fail(),
    };
    audit::books_are_in_order();
    let completions = core::iter::from_fn(|| user.ring.pop());
    (came(completions.filter(|cqe| cqe.user_data == scene.sqe.user_data).last()), met)
}

/// Most units of anything that one operation takes.
const MOST: u64 = 1000;

/// Tries a case under one shortage. Gives how often it failed.
fn endure(case: &Case, shortage: Shortage) -> u64 {
    let mut failures = 0;
    for n in 0..MOST {
        let world = World::new();
        let scene = (case.scene)(&world);
        let before = books(&world, &scene);
        let (came, met) = attempt(&scene, shortage, n);
        let at = std::format!("{}, {shortage:?}, {n}", case.name);
        let wanted = match shortage {
            Shortage::Budget(_) => Came::Exhausted,
            _ => Came::OutOfMemory,
        };
        match came {
            Came::Done if !met => return failures,
            // It found another way; or what was left was enough.
            Came::Done if matches!(shortage, Shortage::Budget(_)) => return failures,
            Came::Done => continue,
            other => assert_eq!(other, wanted, "{at}"),
        }
        assert!(met, "{at}: fails without a shortage");
        failures += 1;
        assert_eq!(books(&world, &scene), before, "{at}");
        if keeps_no_more(&scene, shortage, n, &at) {
            let (again, _) = attempt(&scene, shortage, u64::MAX);
            assert_eq!(again, Came::Done, "{at}: works afterwards");
        }
    }
    panic!("{}: more than {MOST} of {shortage:?}", case.name);
}

/// The same failure again and again takes no more of the heap: what it may have made room for is used the next time. False when that
/// room was all that had been missing, and it has worked.
fn keeps_no_more(scene: &Scene, shortage: Shortage, n: u64, at: &str) -> bool {
    let mut last = mem::heap_bytes();
    for _ in 0..8 {
        if attempt(scene, shortage, n).0 == Came::Done {
            return false;
        }
        if mem::heap_bytes() <= last {
            return true;
        }
        last = mem::heap_bytes();
    }
    panic!("{at}: each failure keeps some of the heap");
}

fn endure_all(case: &Case) -> u64 {
    let budgets = Resource::ALL.map(Shortage::Budget);
    [Shortage::Heap, Shortage::Frames].iter().chain(&budgets).map(|it| endure(case, *it)).sum()
}
