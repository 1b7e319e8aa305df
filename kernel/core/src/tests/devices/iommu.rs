//! Devices behind an IOMMU: what they find, and when their driver may rely on it.

use super::{
    AT, Driver, World, claim, describe, entry, exception, is_master, legacy_driver, plug, plug_legacy,
};
use crate::cap::Object;
use crate::cap::device_manager::DeviceManager;
use crate::device::audit;
use crate::device::demand;
use crate::device::{history, registry};
use crate::task::end;
use crate::task::process::Status;
use capos_abi::ExceptionCode;
use capos_ledger::Event;
use capos_mem::Resource;
use capos_schema::Empty;
use capos_schema::device;
use capos_schema::device_manager::{self, DeviceState, DmaBackend};
use capos_schema::dma_pool::{self, ProofResults};
use kernel_hal::fake::{self, iommu};

impl Driver {
    fn proof(&self, pool: capos_abi::CapId) -> Result<u64, capos_abi::Cqe> {
        let results: Result<ProofResults, _> =
            self.user.call(pool, dma_pool::INTERFACE_ID, dma_pool::PROOF, &Empty);
        results.map(|it| it.token)
    }
}

/// A driver whose device was seen to go through the IOMMU.
fn proven(world: &World) -> (std::sync::Arc<super::Edu>, Driver) {
    seen(world, true)
}

/// The same; whether somebody answers for interrupts.
pub(in crate::tests) fn seen(world: &World, trusted: bool) -> (std::sync::Arc<super::Edu>, Driver) {
    iommu::install();
    let edu = plug();
    demand::trust_interrupts(trusted);
    let driver = Driver::new(world);
    let pool = driver.pool();
    driver.proof(pool).expect("there is something to be proven");
    write_by_device();
    assert!(driver.is_proven());
    driver.reset().expect("claimed");
    (edu, driver)
}

/// The device writes to the memory for the proof.
fn write_by_device() {
    let function = registry::find(AT).expect("memory");
    let state = function.lock();
    let proof = state.dma.as_ref().and_then(|dma| dma.proof.as_ref()).expect("asked for");
    proof.memory.fill(1);
}

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

#[test]
fn nobody_relies_on_an_iommu_before_it_was_seen_to_translate() {
    let world = World::new();
    iommu::install();
    let edu = plug();
    let driver = Driver::new(&world);
    assert_eq!(entry(&driver.user).backend, DmaBackend::Unproven);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 1);
    let queue = driver.queue();
    let proof = driver.proof(pool).expect("there is something to be proven");
    assert_eq!(driver.proof(pool).expect("the same"), proof);
    assert!(!driver.is_proven() && wrong().is_empty());
    // A buffer is where it lies, whether the IOMMU is asked or not.
    describe(&driver, queue, [token, 0x4_0000, 64, 1]);
    driver.publish(queue).expect("a good one");
    let source = edu.written(0x80).expect("told");
    let found = iommu::reaches(AT, source).expect("the IOMMU has it there");
    edu.finish();
    // The memory for the proof lies elsewhere than the device is told.
    describe(&driver, queue, [0x4_0000, proof, 64, 3]);
    driver.publish(queue).expect("a good one");
    let target = edu.written(0x88).expect("told");
    let sealed = iommu::reaches(AT, target).expect("the IOMMU has it there");
    assert!(sealed.0 != found.0 && target != source);
    assert!(!driver.is_proven(), "nothing was written");
    write_by_device();
    assert!(driver.is_proven());
    // It counts from the next generation on.
    assert_eq!(entry(&driver.user).backend, DmaBackend::Unproven);
    edu.finish();
    driver.reset().expect("claimed");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Direct);
    assert!(driver.is_proven());
    let pool = driver.pool();
    assert_eq!(exception(driver.proof(pool)), ExceptionCode::Unsupported);
}

#[test]
fn behind_an_iommu_the_device_finds_buffers_by_their_tokens_and_nothing_else() {
    let world = World::new();
    let (edu, driver) = proven(&world);
    let pool = driver.pool();
    let (one, first) = driver.buffer(pool, 1);
    let (_, second) = driver.buffer(pool, 3);
    let queue = driver.queue();
    assert!(wrong().is_empty(), "{}", wrong());
    let (label, page, writable) = iommu::reaches(AT, second + 8192).expect("the third page");
    assert_eq!((page, writable), (2, true));
    assert!(iommu::reaches(AT, second + 3 * 4096).is_none() && label != 0);
    describe(&driver, queue, [first, 0x4_0000, 64, 1]);
    driver.publish(queue).expect("a good one");
    assert_eq!(edu.written(0x80), Some(first), "the token is the address");
    // It is the device's until it is through with it, whoever gives it up.
    driver.release(one);
    assert!(iommu::reaches(AT, first).is_some());
    edu.finish();
    describe(&driver, queue, [second, 0x4_0000, 64, 1]);
    driver.publish(queue).expect("a good one");
    assert!(iommu::reaches(AT, first).is_none());
    edu.finish();
    end::end_process(driver.user.process(), Status::Killed);
    World::stir_all();
    assert!(iommu::reaches(AT, second).is_none());
}

/// One that drops bits of what it is told would reach what is somebody else's.
#[test]
fn no_token_and_no_memory_is_beyond_what_a_device_takes_of_an_address() {
    for is_direct in [false, true] {
        let world = World::new();
        let driver = if is_direct {
            proven(&world).1
        } else {
            plug();
            Driver::new(&world)
        };
        let pool = || {
            let params = device::PoolParams { address_bits: 64, buffer_bits: 21 };
            let pool = driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::POOL, &params);
            pool.expect("a pool")
        };
        let allocate = |pool| {
            let params = dma_pool::AllocateParams { pages: 1 };
            driver.user.call_for_cap(pool, dma_pool::INTERFACE_ID, dma_pool::ALLOCATE, &params)
        };
        // The device for teaching takes 28: there are an eighth of 128 buffers of 2 MiB.
        let whole = pool();
        for _ in 0..16 {
            let buffer = allocate(whole).expect("there is room");
            assert!(driver.token(buffer).expect("live") < 1 << 28);
        }
        assert_eq!(exception(allocate(whole)), ExceptionCode::BudgetExhausted);
        driver.reset().expect("claimed");
        let whole = pool();
        fake::dma::fill(28);
        assert_eq!(exception(allocate(whole)), ExceptionCode::OutOfMemory);
    }
}

#[test]
fn a_device_that_says_that_it_goes_past_the_iommu_is_believed() {
    let world = World::new();
    iommu::install();
    let (driver, pool, _) = legacy_driver(&world);
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
    assert_eq!(exception(driver.proof(pool)), ExceptionCode::Unsupported);
    assert!(!driver.is_proven());
}

#[test]
fn where_nobody_answers_for_interrupts_no_driver_names_addresses_to_its_device() {
    let world = World::new();
    let (edu, driver) = seen(&world, false);
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
    let pool = driver.pool();
    let (buffer, token) = driver.buffer(pool, 2);
    let queue = driver.queue();
    describe(&driver, queue, [token + 4096, 0x4_0000, 64, 1]);
    driver.publish(queue).expect("a good one");
    let source = edu.written(0x80).expect("told");
    assert_ne!(source, token + 4096);
    // What it is told is where the memory lies, and the IOMMU has that there and nothing else.
    assert_eq!(iommu::reaches(AT, source).expect("shown").1, 1);
    assert!(iommu::reaches(AT, source + 4096).is_none() && wrong().is_empty(), "{}", wrong());
    assert_eq!(exception(driver.proof(pool)), ExceptionCode::Unsupported);
    edu.finish();
    describe(&driver, queue, [0; 4]);
    driver.release(buffer);
    let _ = driver.publish(queue);
    assert!(iommu::reaches(AT, source).is_none());
    driver.reset().expect("claimed");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
}

#[test]
fn a_driver_may_give_up_on_a_proof() {
    let world = World::new();
    iommu::install();
    plug();
    let driver = Driver::new(&world);
    driver.pool();
    driver.call(device::DISTRUST).expect("claimed");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Unproven);
    driver.reset().expect("claimed");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
    // Once it was seen nobody can say that it was not.
    drop(driver);
    drop(world);
    let world = World::new();
    let (_, driver) = proven(&world);
    driver.call(device::DISTRUST).expect("claimed");
    driver.reset().expect("claimed");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Direct);
}

#[test]
fn an_iommu_that_does_not_answer_is_not_relied_on_again() {
    let world = World::new();
    let (_, driver) = proven(&world);
    let pool = driver.pool();
    driver.buffer(pool, 1);
    let cursor = history::end();
    iommu::fall_silent();
    driver.reset().expect("claimed");
    let first = history::read(cursor).expect("something happened");
    assert_eq!((first.entry.event, first.entry.function), (Event::NoAnswer, AT));
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
}

#[test]
fn what_a_silent_iommu_may_still_show_stays_and_the_audit_says_so() {
    let world = World::new();
    let (_, driver) = proven(&world);
    let account = driver.user.process().account.clone();
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 2);
    driver.queue();
    let shown = iommu::reaches(AT, token).expect("given");
    assert_eq!((wrong(), is_master()), ("", true));
    iommu::fall_silent();
    driver.release(driver.device);
    assert_eq!((is_master(), wrong()), (false, "domain"));
    assert_eq!(iommu::reaches(AT, token), Some(shown), "nobody can say that the device does not find it");
    assert_eq!(account.used(Resource::DmaPages), 2, "so it is nobody else's, and is paid for");
    // Who has the function next gets no memory for it, as the unit would have to be told of it.
    let next = world.start("next");
    let device = claim(&next, "edu").expect("it is quiet");
    let next = Driver { user: next, device };
    let params = device::PoolParams { address_bits: 64, buffer_bits: 16 };
    let pool = next.user.call_for_cap(device, device::INTERFACE_ID, device::POOL, &params);
    assert_eq!(exception(pool), ExceptionCode::Unsupported);
    assert_eq!((entry(&next.user).backend, wrong()), (DmaBackend::Bounce, "domain"));
    // Who demands one gets no function at all.
    next.release(device);
    demand(&world);
    assert_eq!(exception(claim(&next.user, "edu")), ExceptionCode::Denied);
}

#[test]
fn what_a_unit_blocked_and_could_not_say_is_said_to_be_lost() {
    let _world = World::new();
    iommu::install();
    plug();
    let cursor = history::end();
    assert!(history::read(cursor).is_none());
    for lost in [1, 2] {
        (0..lost).for_each(|_| iommu::lose());
        let cursor = history::end() - 1;
        let found = history::read(cursor).expect("something happened");
        let said = (found.entry.event, found.entry.function, found.entry.detail);
        assert_eq!(said, (Event::FaultsLost, u32::MAX, lost));
        assert!(history::read(found.next).is_none(), "once");
    }
}

#[test]
fn a_device_of_which_nothing_is_known_may_have_memory_behind_an_iommu() {
    let world = World::new();
    let (_, driver) = proven(&world);
    driver.release(driver.device);
    let device = claim(&driver.user, "plain").expect("free");
    let driver = Driver { user: driver.user, device };
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 1);
    assert!(iommu::reaches(AT, token).is_some());
}

#[test]
fn it_has_none_where_nobody_answers_for_interrupts() {
    let world = World::new();
    let (_, driver) = seen(&world, false);
    driver.release(driver.device);
    let device = claim(&driver.user, "plain").expect("free");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
    let params = device::PoolParams { address_bits: 64, buffer_bits: 16 };
    let pool = driver.user.call_for_cap(device, device::INTERFACE_ID, device::POOL, &params);
    assert_eq!(exception(pool), ExceptionCode::Unsupported);
    let start: Result<Empty, _> = driver.user.call(device, device::INTERFACE_ID, device::START, &Empty);
    assert_eq!(exception(start), ExceptionCode::Unsupported);
    assert!(!is_master());
}

/// Has a process demand an IOMMU.
fn demand(world: &World) {
    let user = world.start("init");
    let manager = user.hold(Object::DeviceManager(DeviceManager));
    let demanded: Result<Empty, _> =
        user.call(manager, device_manager::INTERFACE_ID, device_manager::DEMAND_IOMMU, &Empty);
    demanded.expect("it can be demanded always");
}

#[test]
fn where_an_iommu_is_demanded_and_none_counts_nobody_has_a_device_that_reaches_memory() {
    let world = World::new();
    plug();
    demand(&world);
    let user = world.start("driver");
    assert_eq!(exception(claim(&user, "edu")), ExceptionCode::Denied);
    assert!(!is_master() && entry(&user).state == DeviceState::Free);
    claim(&user, "plain").expect("it reaches none");
    // For one that goes past it, it is as if there were none.
    iommu::install();
    plug_legacy();
    demand(&world);
    assert_eq!(exception(claim(&user, "virtio")), ExceptionCode::Denied);
}

#[test]
fn what_an_iommu_holds_counts_also_where_the_kernel_goes_on_translating() {
    let world = World::new();
    let (_, driver) = seen(&world, false);
    demand(&world);
    driver.call(device::START).expect("it was seen");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
    driver.pool();
    iommu::fall_silent();
    driver.reset().expect("claimed");
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::Denied);
}

#[test]
fn an_iommu_that_is_demanded_and_counts_no_more_ends_it() {
    let world = World::new();
    let (_, driver) = proven(&world);
    demand(&world);
    driver.call(device::START).expect("it was seen");
    driver.pool();
    iommu::fall_silent();
    driver.reset().expect("claimed");
    assert_eq!(entry(&driver.user).backend, DmaBackend::Bounce);
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::Denied);
    assert!(!is_master());
}

#[test]
fn a_driver_that_gives_up_on_a_proof_takes_the_device_from_nobody_after_it() {
    let world = World::new();
    iommu::install();
    plug();
    demand(&world);
    let driver = Driver::new(&world);
    driver.pool();
    driver.call(device::DISTRUST).expect("claimed");
    driver.reset().expect("claimed");
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::Denied);
    driver.release(driver.device);
    let next = Driver::new(&world);
    assert_eq!(entry(&next.user).backend, DmaBackend::Unproven);
    next.call(device::START).expect("an IOMMU holds it");
}

#[test]
fn the_audit_sees_an_attachment_that_the_ledger_has_not() {
    let world = World::new();
    iommu::install();
    plug();
    let driver = Driver::new(&world);
    assert_eq!(wrong(), "");
    iommu::set_attached(AT, true);
    assert_eq!(wrong(), "domain");
    iommu::set_attached(AT, false);
    driver.pool();
    assert_eq!(wrong(), "");
    iommu::set_attached(AT, false);
    assert_eq!(wrong(), "domain");
    iommu::set_attached(AT, true);
    assert_eq!(wrong(), "");
    // Something else is where its domain belongs.
    iommu::mislead(AT);
    assert_eq!(wrong(), "domain");
    driver.reset().expect("claimed");
    assert_eq!(wrong(), "");
}

#[test]
fn the_audit_sees_memory_that_the_ledger_has_not() {
    let world = World::new();
    let (_, driver) = proven(&world);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 2);
    let elsewhere = token + (1 << 16);
    assert_eq!(wrong(), "");
    // A page too many, another one instead, one too few.
    iommu::show(AT, elsewhere);
    assert_eq!(wrong(), "iommu");
    iommu::hide(AT, token);
    assert_eq!(wrong(), "iommu");
    iommu::hide(AT, elsewhere);
    assert_eq!(wrong(), "iommu");
    driver.reset().expect("claimed");
    assert_eq!(wrong(), "");
}

/// Has the device find other memory at `address`: as much as before.
pub(super) fn replace(address: u64) {
    assert!(iommu::reaches(AT, address).is_some());
    iommu::hide(AT, address);
    iommu::show(AT, address);
}

#[test]
fn the_audit_sees_other_memory_where_the_proof_is() {
    let world = World::new();
    iommu::install();
    let edu = plug();
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let queue = driver.queue();
    let token = driver.proof(pool).expect("there is something to be proven");
    describe(&driver, queue, [0x4_0000, token, 64, 3]);
    driver.publish(queue).expect("a good one");
    assert_eq!(wrong(), "");
    replace(edu.written(0x88).expect("told"));
    assert_eq!(wrong(), "iommu");
}
