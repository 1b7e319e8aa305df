//! That the audit sees what is given out beside the books, and mapped beside the ledger.

use super::{AT, BASE, Driver, MESSAGES, World, claim, describe, plug};
use crate::device::{audit, registry};
use capos_ledger::Item;
use capos_schema::device;
use kernel_hal::Protection;
use kernel_hal::device::Registers;
use kernel_hal::fake::iommu;
use kernel_hal::lease::Lease;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

/// Maps the first page of `frames`, has `wrong` looked at, and takes it out again.
fn with_page(
    driver: &Driver,
    frames: &Ref<Frames>,
    page: usize,
    writable: bool,
    lease: Option<&Ref<Lease>>,
) -> &'static str {
    let space = &driver.user.process().space;
    let protection = if writable { Protection::ReadWrite } else { Protection::Read };
    let address = space.map(frames, page, 1, protection, writable, lease.cloned()).expect("there is room");
    let found = wrong();
    space.unmap(address, 1).expect("its own");
    found
}

#[test]
fn counts_that_drift() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let (buffer, _) = driver.buffer(pool, 3);
    driver.queue();
    assert_eq!(wrong(), "");
    let function = registry::find(AT).expect("memory");
    assert_eq!(function.lock().record.books.count(Item::DmaPages), 4, "three, and one for the descriptor");
    let kinds = [
        (Item::Vectors, "vectors"),
        (Item::Buffers, "buffers"),
        (Item::DmaPages, "buffers"),
        (Item::Queues, "queues"),
    ];
    for (item, name) in kinds {
        function.lock().record.books.add(item, 1);
        assert_eq!(wrong(), name);
        function.lock().record.books.take(item, 1);
    }
    driver.release(buffer);
    assert_eq!((wrong(), function.lock().record.books.count(Item::DmaPages)), ("", 1));
    driver.reset().expect("claimed");
    assert_eq!((wrong(), function.lock().record.books.are_empty()), ("", true));
}

#[test]
fn registers_that_nobody_gave_out_there_or_so() {
    let world = World::new();
    plug();
    let user = world.start("driver");
    let device = claim(&user, "plain").expect("free");
    let driver = Driver { user, device };
    let function = registry::find(AT).expect("memory");
    let (generation, id) = (function.lock().record.generation(), driver.user.process().id);
    let lend = |writable| function.lend(generation, 0, (4096, 2), writable, id).expect("its own");
    let (lent, shown) = (lend(true), lend(false));
    assert_eq!(wrong(), "", "who was promised something need not have mapped it");
    assert_eq!(with_page(&driver, &lent.frames, 1, true, Some(&lent.lease)), "");
    assert_eq!(with_page(&driver, &shown.frames, 0, false, Some(&shown.lease)), "");
    assert_eq!(with_page(&driver, &shown.frames, 0, true, Some(&shown.lease)), "mappings", "only to be read");
    assert_eq!(with_page(&driver, &lent.frames, 0, true, None), "mappings", "nobody can take it away");
    let before = Registers::in_memory(BASE, 8192).map(|it| it.pages(0, 2).expect("two pages"));
    let messages = Registers::in_memory(MESSAGES, 4096).map(|it| it.pages(0, 1).expect("a page"));
    for frames in [before, messages] {
        let frames = frames.expect("host memory");
        assert_eq!(with_page(&driver, &frames, 0, true, Some(&lent.lease)), "mappings", "other registers");
    }
    let other = Driver { user: world.start("other"), device };
    assert_eq!(with_page(&other, &lent.frames, 0, true, Some(&lent.lease)), "mappings", "not given to him");
    // More than was given out.
    let books = || function.lock().record.books.count(Item::MappedPages);
    assert_eq!(books(), 4);
    function.lock().record.books.take(Item::MappedPages, 4);
    assert_eq!(with_page(&driver, &lent.frames, 0, true, Some(&lent.lease)), "mappings");
    driver.reset().expect("claimed");
    assert_eq!((wrong(), books()), ("", 0));
}

#[test]
fn memory_that_is_the_devices_and_the_kernels_alone() {
    let world = World::new();
    let (driver, ..) = super::legacy_driver(&world);
    let function = registry::find(AT).expect("memory");
    let generation = function.lock().record.generation();
    let (ring, first, _) = function.completion(generation, 0).expect("a queue");
    assert_eq!(with_page(&driver, &ring, first, false, None), "", "what the device writes");
    assert_eq!(with_page(&driver, &ring, first, true, None), "mappings");
    assert_eq!(with_page(&driver, &ring, first - 1, false, None), "mappings", "where memory lies");
    let (shadow, _) = function.submission(generation, 0).expect("a queue");
    assert_eq!(with_page(&driver, &shadow, 0, true, None), "");
    // What the device proves itself by.
    driver.release(driver.device);
    iommu::install();
    let edu = plug();
    let driver = Driver { device: claim(&driver.user, "edu").expect("free"), ..driver };
    driver.pool();
    let function = registry::find(AT).expect("memory");
    let generation = function.lock().record.generation();
    let account = driver.user.process().account.clone();
    let (token, _) = function.proof(generation, &account).expect("there is something to be proven");
    assert_eq!(wrong(), "");
    let closed: std::vec::Vec<_> = {
        let state = function.lock();
        let dma = state.dma.as_ref().expect("a pool");
        dma.closed().map(|(memory, _)| memory.frames().clone()).collect()
    };
    assert_eq!(closed.len(), 2, "and its decoy");
    for memory in &closed {
        assert_eq!(with_page(&driver, memory, 0, false, None), "mappings");
    }
    // It is kept for a device that goes on after its reset, and is as closed as before.
    let queue = driver.queue();
    describe(&driver, queue, [0x4_0000, token, 64, 3]);
    driver.publish(queue).expect("a good one");
    driver.reset().expect("claimed");
    assert!(function.is_kept() && wrong().is_empty());
    for memory in &closed {
        assert_eq!(with_page(&driver, memory, 0, false, None), "mappings");
    }
    edu.finish();
    driver.call(device::START).expect("it is quiet");
    assert!(!function.is_kept() && wrong().is_empty());
}

#[test]
fn page_tables_that_show_something_else() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let other = world.start("other");
    assert_eq!(wrong(), "");
    for user in [&driver.user, &other] {
        user.process().space.damage(true);
        assert_eq!(wrong(), "tables");
        user.process().space.damage(false);
    }
    assert_eq!(wrong(), "");
}
