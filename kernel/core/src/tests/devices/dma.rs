//! Memory that a device may reach: tokens, budgets, and what the device is told.

use super::{Driver, World, exception, plug};
use crate::task::end;
use crate::task::process::Status;
use capos_abi::{CapId, ExceptionCode};
use capos_mem::Resource;
use capos_schema::Empty;
use capos_schema::device::{self, PoolParams, QueueParams};
use capos_schema::device_queue;
use capos_schema::dma_buffer;
use capos_schema::dma_pool::{self, AllocateParams, UsageResults};
use capos_schema::memory_object::{self, ReadParams, WriteParams};

/// Writes a descriptor into the queue's memory as its driver would.
pub(crate) fn describe(driver: &Driver, queue: CapId, words: [u64; 4]) {
    submit(driver, queue, 0, &words);
}

/// The same, anywhere in it.
pub(super) fn submit(driver: &Driver, queue: CapId, offset: u64, words: &[u64]) {
    let memory = driver
        .user
        .call_for_cap(queue, device_queue::INTERFACE_ID, device_queue::SUBMISSION, &Empty)
        .expect("the driver's part");
    let data: std::vec::Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let params = WriteParams { offset, data: &data };
    let written: Result<Empty, _> =
        driver.user.call(memory, memory_object::INTERFACE_ID, memory_object::WRITE, &params);
    written.expect("it is the driver's");
    driver.release(memory);
}

impl Driver {
    fn allocate(&self, pool: CapId, pages: u32) -> Result<CapId, capos_abi::Cqe> {
        self.user.call_for_cap(pool, dma_pool::INTERFACE_ID, dma_pool::ALLOCATE, &AllocateParams { pages })
    }

    fn usage(&self, pool: CapId) -> (u32, u32, u32) {
        let usage: UsageResults =
            self.user.call(pool, dma_pool::INTERFACE_ID, dma_pool::USAGE, &Empty).expect("a pool");
        (usage.buffers, usage.pages, usage.pinned)
    }

    /// Bytes of a buffer's memory.
    fn bytes(&self, buffer: CapId, len: u32) -> std::vec::Vec<u8> {
        let memory = self
            .user
            .call_for_cap(buffer, dma_buffer::INTERFACE_ID, dma_buffer::MEMORY, &Empty)
            .expect("its memory");
        let params = ReadParams { offset: 0, length: len };
        let cqe = self.user.call_raw(memory, memory_object::INTERFACE_ID, memory_object::READ, &params, 0);
        self.release(memory);
        let bytes = self.user.get(super::super::REPLY, cqe.result as usize);
        use capos_schema::Decode;
        memory_object::ReadResults::decode(&bytes).expect("bytes").data.into()
    }
}

#[test]
fn buffers_are_paid_for_and_their_tokens_are_numbers_that_say_nothing() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let account = driver.user.process().account.clone();
    let used = || (account.used(Resource::DmaPages), account.used(Resource::MemoryPages));
    let pool = driver.pool();
    let start = used();
    let (one, first) = driver.buffer(pool, 1);
    let (two, second) = driver.buffer(pool, 3);
    assert!(first != second && first > 0 && first % 4096 == 0);
    // It does not lie where the token says: nothing here has an address as small as that.
    assert!(first < 1 << 30 && second < 1 << 30);
    assert_eq!((used().0 - start.0, used().1 - start.1), (4, 4));
    assert_eq!(driver.usage(pool), (2, 4, 0));
    assert_eq!(driver.bytes(two, 16), [0; 16]);
    driver.release(one);
    assert_eq!((used().0 - start.0, driver.usage(pool)), (3, (1, 3, 0)));
    for pages in [0, 17, u32::MAX] {
        assert_eq!(exception(driver.allocate(pool, pages)), ExceptionCode::InvalidArgument);
    }
    // As much as the budget has: 64 pages.
    for _ in 0..3 {
        driver.buffer(pool, 16);
    }
    assert_eq!(exception(driver.allocate(pool, 16)), ExceptionCode::BudgetExhausted);
}

#[test]
fn the_device_is_told_where_a_token_leads_and_nothing_else() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let (buffer, token) = driver.buffer(pool, 1);
    let queue = driver.queue();
    describe(&driver, queue, [token + 16, 0x4_0000, 100, 1]);
    assert_eq!(driver.publish(queue).expect("a good one").published, 1);
    assert_eq!(driver.usage(pool).2, 1, "it is the device's for now");
    let source = edu.written(0x80).expect("told");
    assert_ne!(source, token + 16);
    assert_eq!(
        (edu.written(0x88), edu.written(0x90), edu.written(0x98)),
        (Some(0x4_0000), Some(100), Some(1))
    );
    // One at a time: the driver has to ask again.
    assert!(driver.publish(queue).expect("not yet").more);
    edu.finish();
    let register = |offset| edu.written(offset);
    for words in [
        // Not a token, stale, out of the buffer's range, wrapping, no byte at all, both sides memory, no command.
        [0x1000, 0x4_0000, 16, 1],
        [token + 4096, 0x4_0000, 16, 1],
        [token + 4090, 0x4_0000, 16, 1],
        [u64::MAX, 0x4_0000, 16, 1],
        [token, 0x4_0000, 0, 1],
        [token, token, 16, 1],
        [token, 0x4_0000, 16, 0],
        [token, 0x4_0000 + 4000, 200, 1],
        [0x4_0000, source, 16, 3],
    ] {
        describe(&driver, queue, words);
        assert_eq!(exception(driver.publish(queue)), ExceptionCode::InvalidArgument, "{words:x?}");
        assert_eq!((register(0x80), register(0x90)), (Some(source), Some(100)), "{words:x?}");
    }
    driver.release(buffer);
    describe(&driver, queue, [token, 0x4_0000, 16, 1]);
    assert_eq!(exception(driver.publish(queue)), ExceptionCode::InvalidArgument, "it is nobody's any more");
}

#[test]
fn what_the_device_has_stays_until_it_is_through_with_it() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let (buffer, token) = driver.buffer(pool, 2);
    let queue = driver.queue();
    describe(&driver, queue, [token, 0x4_0000, 100, 1]);
    driver.publish(queue).expect("a good one");
    let account = driver.user.process().account.clone();
    let before = account.used(Resource::DmaPages);
    driver.release(buffer);
    assert_eq!((account.used(Resource::DmaPages), driver.usage(pool).2), (before, 1));
    edu.finish();
    describe(&driver, queue, [0, 0, 0, 0]);
    let _ = driver.publish(queue);
    assert_eq!(account.used(Resource::DmaPages), before - 2);
}

#[test]
fn what_the_device_had_before_a_reset_goes_when_it_is_through_with_it() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 2);
    let queue = driver.queue();
    describe(&driver, queue, [token, 0x4_0000, 100, 1]);
    driver.publish(queue).expect("a good one");
    let account = driver.user.process().account.clone();
    driver.reset().expect("claimed");
    assert!(account.used(Resource::DmaPages) >= 2, "it still copies");
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::WrongState);
    // A second reset changes nothing about that.
    driver.reset().expect("claimed");
    assert!(account.used(Resource::DmaPages) >= 2);
    edu.finish();
    driver.call(device::START).expect("it is quiet");
    assert_eq!(account.used(Resource::DmaPages), 0);
}

#[test]
fn there_is_one_pool_and_no_queue_without_it() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let queue = |index, entries| {
        let params = QueueParams { index, entries };
        driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::QUEUE, &params)
    };
    let pool = |address_bits, buffer_bits| {
        let params = PoolParams { address_bits, buffer_bits };
        driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::POOL, &params)
    };
    assert_eq!(exception(queue(0, 1)), ExceptionCode::WrongState);
    for (bits, shift) in [(65, 16), (12, 16), (64, 11), (64, 22), (0, 0), (255, 255)] {
        assert_eq!(exception(pool(bits, shift)), ExceptionCode::InvalidArgument, "{bits} {shift}");
    }
    pool(64, 16).expect("the first");
    assert_eq!(exception(pool(64, 16)), ExceptionCode::Exists);
    assert_eq!(exception(queue(0, 2)), ExceptionCode::InvalidArgument);
    assert_eq!(exception(queue(1, 1)), ExceptionCode::NotFound);
    assert_eq!(exception(queue(64, 1)), ExceptionCode::NotFound);
    queue(0, 1).expect("the only one");
    assert_eq!(exception(queue(0, 1)), ExceptionCode::Exists);
}

#[test]
fn a_device_of_which_nothing_is_known_reaches_no_memory() {
    let world = World::new();
    plug();
    let user = world.start("driver");
    let device = super::claim(&user, "plain").expect("free");
    let params = PoolParams { address_bits: 64, buffer_bits: 16 };
    let pool = user.call_for_cap(device, device::INTERFACE_ID, device::POOL, &params);
    assert_eq!(exception(pool), ExceptionCode::Unsupported);
    // Its driver may write any address to it.
    let start: Result<Empty, _> = user.call(device, device::INTERFACE_ID, device::START, &Empty);
    assert_eq!(exception(start), ExceptionCode::Unsupported);
    assert!(!super::is_master());
}

#[test]
fn a_device_that_may_not_reach_memory_is_told_of_none() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 1);
    let params = QueueParams { index: 0, entries: 1 };
    let queue = driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::QUEUE, &params);
    let queue = queue.expect("the only one");
    describe(&driver, queue, [token, 0x4_0000, 100, 1]);
    assert_eq!(exception(driver.publish(queue)), ExceptionCode::WrongState);
    assert_eq!(edu.written(0x80), None);
    driver.call(device::START).expect("it is quiet");
    driver.publish(queue).expect("a good one");
}

#[test]
fn memory_of_who_has_gone_is_scrubbed_before_the_next_has_it() {
    let world = World::new();
    plug();
    let first = Driver::new(&world);
    let pool = first.pool();
    let (buffer, _) = first.buffer(pool, 16);
    let memory = first
        .user
        .call_for_cap(buffer, dma_buffer::INTERFACE_ID, dma_buffer::MEMORY, &Empty)
        .expect("its memory");
    let params = WriteParams { offset: 0, data: b"a secret" };
    let written: Result<Empty, _> =
        first.user.call(memory, memory_object::INTERFACE_ID, memory_object::WRITE, &params);
    written.expect("its own");
    end::end_process(first.user.process(), Status::Killed);
    World::stir_all();
    let second = Driver::new(&world);
    let pool = second.pool();
    let (buffer, _) = second.buffer(pool, 16);
    assert_eq!(second.bytes(buffer, 8), [0; 8]);
}

#[test]
fn who_has_the_memory_of_a_buffer_pays_for_it_when_the_buffer_has_gone() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let account = driver.user.process().account.clone();
    let pool = driver.pool();
    let (buffer, _) = driver.buffer(pool, 2);
    let memory = driver
        .user
        .call_for_cap(buffer, dma_buffer::INTERFACE_ID, dma_buffer::MEMORY, &Empty)
        .expect("its own");
    driver.release(buffer);
    assert_eq!(account.used(Resource::DmaPages), 2);
    driver.release(memory);
    assert_eq!((account.used(Resource::DmaPages), driver.usage(pool)), (0, (0, 0, 0)));
}
