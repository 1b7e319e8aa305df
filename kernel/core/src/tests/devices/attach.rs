//! Memory that was there before the device was given it, and stays when it goes.

use super::{AT, Driver, World, describe, exception, plug};
use crate::cap::leases;
use crate::device::buffers::{Buffer, Offer};
use crate::device::memory::Memory;
use crate::device::{audit, registry};
use crate::tests::revocation::{give, revoke};
use crate::tests::{CAPS, MSG, User, call_sqe};
use capos_abi::{CapId, Cqe, ExceptionCode, Sqe, TransferSlot};
use capos_mem::Resource;
use capos_schema::device::{self, PoolParams};
use capos_schema::memory_object::{self, PartParams};
use capos_schema::virtual_memory::{self, CreateDmaObjectParams, CreateObjectParams};
use capos_schema::{Empty, Encode, dma_pool};

const PAGE: u64 = 4096;

/// So many pages, made for devices.
fn object(user: &User, pages: u64) -> CapId {
    create(user, pages * PAGE, 64).expect("memory")
}

fn create(user: &User, size: u64, address_bits: u8) -> Result<CapId, Cqe> {
    let params = CreateDmaObjectParams { size, address_bits };
    let method = virtual_memory::CREATE_DMA_OBJECT;
    user.call_for_cap(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, method, &params)
}

impl Driver {
    fn attach(&self, pool: CapId, slot: TransferSlot) -> Result<CapId, Cqe> {
        self.user.set_word(CAPS, slot.0);
        let mut message = [0; 64];
        let len = Empty.encode(&mut message).expect("it fits");
        self.user.put(MSG, &message[..len]);
        let sqe = call_sqe(pool, dma_pool::INTERFACE_ID, dma_pool::ATTACH, len as u32);
        let cqe = self.user.one(Sqe { caps_send: 1, caps_recv: 1, ..sqe });
        if cqe.result < 0 || cqe.flags != 0 { Err(cqe) } else { Ok(CapId::from_raw(self.user.word(CAPS))) }
    }

    fn sees(&self, pool: CapId) -> (u32, u32, u32) {
        let usage: dma_pool::UsageResults =
            self.user.call(pool, dma_pool::INTERFACE_ID, dma_pool::USAGE, &Empty).expect("a pool");
        (usage.buffers, usage.pages, usage.pinned)
    }
}

fn dma_pages(user: &User) -> u64 {
    user.process().account.used(Resource::DmaPages)
}

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

#[test]
fn it_outlives_the_pool_and_goes_into_the_next() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let owner = world.start("owner");
    let own = object(&owner, 2);
    let memory = give(&owner, &driver.user, TransferSlot::copy(own));
    let mut places = [0; 2];
    for place in &mut places {
        let pool = driver.pool();
        let buffer = driver.attach(pool, TransferSlot::copy(memory)).expect("room");
        let token = driver.token(buffer).expect("live");
        assert_eq!((driver.sees(pool), wrong()), ((1, 2, 0), ""));
        let queue = driver.queue();
        describe(&driver, queue, [token + PAGE, 0x4_0000, 100, 1]);
        assert_eq!(driver.publish(queue).expect("a good one").published, 1);
        assert_eq!((driver.sees(pool).2, wrong()), (1, ""));
        *place = edu.written(0x80).expect("told");
        edu.finish();
        driver.reset().expect("claimed");
        assert_eq!(wrong(), "");
    }
    assert_eq!(places[0], places[1], "the same memory");
    assert_eq!((dma_pages(&owner), dma_pages(&driver.user)), (2, 0), "paid by who made it");
    driver.release(memory);
    owner.one(Sqe { op: capos_abi::Op::Release as u8, cap: own.raw(), ..Sqe::default() });
    assert_eq!(dma_pages(&owner), 0);
}

#[test]
fn the_device_keeps_what_nobody_has_any_more() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let memory = object(&driver.user, 2);
    let buffer = driver.attach(pool, TransferSlot::moved(memory)).expect("room");
    let token = driver.token(buffer).expect("live");
    let queue = driver.queue();
    describe(&driver, queue, [token, 0x4_0000, 100, 1]);
    driver.publish(queue).expect("a good one");
    let before = dma_pages(&driver.user);
    driver.release(buffer);
    assert_eq!((dma_pages(&driver.user), driver.sees(pool).2), (before, 1));
    edu.finish();
    describe(&driver, queue, [0, 0, 0, 0]);
    let _ = driver.publish(queue);
    assert_eq!((dma_pages(&driver.user), driver.sees(pool).0, wrong()), (before - 2, 0, ""));
}

#[test]
fn what_is_not_made_for_devices_stays_out() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let user = &driver.user;
    let facet = |cap, method| user.call_for_cap(cap, memory_object::INTERFACE_ID, method, &Empty);
    let own = object(user, 4);
    let read_only = facet(own, memory_object::READ_ONLY).expect("a facet");
    let params = PartParams { offset: PAGE, size: PAGE };
    let part = user.call_for_cap(own, memory_object::INTERFACE_ID, memory_object::PART, &params);
    let params = CreateObjectParams { size: PAGE };
    let method = virtual_memory::CREATE_OBJECT;
    let ordinary = user.call_for_cap(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, method, &params);
    for (cap, why) in [
        (read_only, ExceptionCode::Denied),
        (part.expect("inside"), ExceptionCode::Unsupported),
        (ordinary.expect("memory"), ExceptionCode::Unsupported),
        (pool, ExceptionCode::InvalidArgument),
        // Larger than the pool's buffers.
        (object(user, 17), ExceptionCode::InvalidArgument),
    ] {
        assert_eq!(exception(driver.attach(pool, TransferSlot::copy(cap))), why);
        assert_eq!((driver.sees(pool), wrong()), ((0, 0, 0), ""));
    }
    for size in [0, 1, PAGE - 1, (2 << 20) + PAGE, u64::MAX] {
        assert_eq!(exception(create(user, size, 64)), ExceptionCode::InvalidArgument, "{size}");
    }
    assert_eq!(exception(create(user, PAGE, 20)), ExceptionCode::OutOfMemory, "there is none so low");
    driver.reset().expect("claimed");
    let params = PoolParams { address_bits: 24, buffer_bits: 12 };
    let narrow = user.call_for_cap(driver.device, device::INTERFACE_ID, device::POOL, &params);
    let high = object(user, 1);
    let attached = driver.attach(narrow.expect("a pool"), TransferSlot::copy(high));
    assert_eq!(exception(attached), ExceptionCode::OutOfMemory, "it would lose bits of the address");
}

#[test]
fn it_is_taken_from_the_device_by_who_revokes_it() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let owner = world.start("owner");
    let own = object(&owner, 2);
    for is_pinned in [false, true] {
        let memory = give(&owner, &driver.user, TransferSlot::copy(own));
        let pool = driver.pool();
        let buffer = driver.attach(pool, TransferSlot::moved(memory)).expect("room");
        let token = driver.token(buffer).expect("live");
        let queue = driver.queue();
        let words = [token, 0x4_0000, 100, 1];
        if is_pinned {
            describe(&driver, queue, words);
            driver.publish(queue).expect("a good one");
        }
        assert_eq!(revoke(&owner, own).0.outcome(), 0);
        assert_eq!(exception(driver.token(buffer)), ExceptionCode::NotFound);
        // What the device is doing with it no revocation takes back; nothing more is begun.
        assert_eq!(driver.sees(pool).2, u32::from(is_pinned));
        edu.finish();
        describe(&driver, queue, words);
        assert_eq!(exception(driver.publish(queue)), ExceptionCode::InvalidArgument);
        assert_eq!((driver.sees(pool).0, wrong()), (0, ""));
        driver.release(buffer);
        driver.reset().expect("claimed");
        assert_eq!((dma_pages(&owner), wrong()), (2, ""), "it is still the owner's");
    }
    assert_eq!(super::super::audit::derivation().leases, 0);
}

#[test]
fn nothing_is_attached_while_a_revocation_is_under_way() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let owner = world.start("owner");
    let own = object(&owner, 1);
    let copy = give(&owner, &driver.user, TransferSlot::copy(own));
    let lease = leases::of_attachment(driver.user.process(), copy).expect("memory");
    assert_eq!(revoke(&owner, own).0.outcome(), 0);
    let function = registry::find(AT).expect("memory");
    let generation = function.lock().record.generation();
    let memory = Memory::new(1, 64, &owner.process().account).expect("memory");
    let attached = Buffer::of(&function, generation, Offer::attached(memory, lease));
    assert_eq!(attached.err(), Some(ExceptionCode::Disconnected));
    assert_eq!((driver.sees(pool).0, dma_pages(&owner)), (0, 1));
    assert_eq!(super::super::audit::derivation().leases, 0);
}
