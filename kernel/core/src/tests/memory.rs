//! Address spaces and memory objects through `VirtualMemory`.

use super::{CAPS, MSG, User, World, call_sqe};
use crate::cap::Object;
use crate::cap::memory_object::MemoryObject;
use capos_abi::{CapId, Cqe, ExceptionCode, Sqe, layout};
use capos_mem::Resource;
use capos_schema::virtual_memory::{self as vm, Protection};
use capos_schema::{Decode, Empty, Encode, memory_object};
use kernel_hal::mem::Frames;

const PAGE: u64 = 4096;

fn call<R: for<'a> capos_schema::Decode<'a>>(
    user: &User,
    method: u16,
    params: &impl Encode,
) -> Result<R, Cqe> {
    user.call(CapId::SELF_MEMORY, vm::INTERFACE_ID, method, params)
}

pub(super) fn reserve(user: &User, pages: u64) -> u64 {
    call::<vm::ReserveResults>(user, vm::RESERVE, &vm::ReserveParams { size: pages * PAGE })
        .expect("room")
        .address
}

pub(super) fn commit(user: &User, address: u64, pages: u64) -> Result<Empty, Cqe> {
    let protection = Protection::ReadWrite;
    call(user, vm::COMMIT, &vm::CommitParams { address, size: pages * PAGE, protection })
}

pub(super) fn protect(user: &User, address: u64, protection: Protection) -> Result<Empty, Cqe> {
    call(user, vm::PROTECT, &vm::ProtectParams { address, size: PAGE, protection })
}

pub(super) fn unmap(user: &User, address: u64, pages: u64) -> Result<Empty, Cqe> {
    call(user, vm::UNMAP, &vm::UnmapParams { address, size: pages * PAGE })
}

fn map(user: &User, object: CapId, offset: u64, size: u64, protection: Protection) -> Result<u64, Cqe> {
    let mut message = [0; 64];
    let len = vm::MapParams { offset, size, protection }.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    user.set_word(CAPS, object.raw());
    let sqe = call_sqe(CapId::SELF_MEMORY, vm::INTERFACE_ID, vm::MAP, len as u32);
    let cqe = user.one(Sqe { caps_send: 1, ..sqe });
    if cqe.result < 0 || cqe.flags != 0 {
        return Err(cqe);
    }
    let bytes = user.get(super::REPLY, cqe.result as usize);
    Ok(<vm::MapResults as capos_schema::Decode>::decode(&bytes).expect("an address").address)
}

fn code<T: core::fmt::Debug>(result: Result<T, Cqe>) -> ExceptionCode {
    let cqe = result.expect_err("refused");
    assert_eq!(cqe.result, 0, "an exception: {cqe:?}");
    ExceptionCode::from_code(cqe.method)
}

fn used(user: &User) -> u64 {
    user.process().account.used(Resource::MemoryPages)
}

#[test]
fn memory_is_charged_when_committed_and_refunded_when_unmapped() {
    let world = World::new();
    let user = world.start("a");
    let before = used(&user);
    let address = reserve(&user, 10);
    assert_eq!(used(&user), before);
    commit(&user, address + PAGE, 4).expect("committed");
    assert_eq!(used(&user), before + 4);
    unmap(&user, address, 10).expect("unmapped");
    assert_eq!(used(&user), before);
}

#[test]
fn bad_ranges_are_refused() {
    let world = World::new();
    let user = world.start("a");
    let address = reserve(&user, 2);
    assert_eq!(
        code(call::<Empty>(&user, vm::RESERVE, &vm::ReserveParams { size: 0 })),
        ExceptionCode::InvalidArgument
    );
    assert_eq!(
        code(call::<Empty>(&user, vm::RESERVE, &vm::ReserveParams { size: 5 })),
        ExceptionCode::InvalidArgument
    );
    assert_eq!(code(commit(&user, address + 1, 1)), ExceptionCode::InvalidArgument);
    assert_eq!(code(commit(&user, address, 3)), ExceptionCode::NotFound);
    assert_eq!(code(commit(&user, 0, 1)), ExceptionCode::InvalidArgument);
    assert_eq!(code(commit(&user, layout::USER_MAX, 1)), ExceptionCode::InvalidArgument);
    assert_eq!(code(commit(&user, u64::MAX - PAGE + 1, 1)), ExceptionCode::InvalidArgument);
    assert_eq!(code(protect(&user, address, Protection::Read)), ExceptionCode::NotFound);
    assert_eq!(code(unmap(&user, address + 64 * PAGE, 1)), ExceptionCode::NotFound);
    commit(&user, address, 1).expect("committed");
    assert_eq!(code(commit(&user, address, 2)), ExceptionCode::Exists);
}

#[test]
fn a_budget_that_is_used_up_is_an_exception_and_changes_nothing() {
    let world = World::new();
    let user = world.start("a");
    let address = reserve(&user, 2000);
    let before = used(&user);
    assert_eq!(code(commit(&user, address, 2000)), ExceptionCode::BudgetExhausted);
    assert_eq!(used(&user), before);
    let create = vm::CreateObjectParams { size: 2000 * PAGE };
    let cqe = user.call_raw(CapId::SELF_MEMORY, vm::INTERFACE_ID, vm::CREATE_OBJECT, &create, 1);
    assert_eq!(ExceptionCode::from_code(cqe.method), ExceptionCode::BudgetExhausted);
    assert_eq!(used(&user), before);
}

#[test]
fn a_mapping_keeps_the_memory_and_its_charge_alive() {
    let world = World::new();
    let user = world.start("a");
    let before = used(&user);
    let create = vm::CreateObjectParams { size: 2 * PAGE };
    let object = user
        .call_for_cap(CapId::SELF_MEMORY, vm::INTERFACE_ID, vm::CREATE_OBJECT, &create)
        .expect("an object");
    let address = map(&user, object, PAGE, PAGE, Protection::ReadWrite).expect("mapped");
    let entry = user.process().release(object);
    drop(entry);
    assert_eq!(used(&user), before + 2);
    unmap(&user, address, 1).expect("unmapped");
    assert_eq!(used(&user), before);
}

#[test]
fn a_read_only_facet_is_never_writable() {
    let world = World::new();
    let user = world.start("a");
    let frames = Frames::zeroed(1, &user.process().account).expect("memory");
    let facet = user.hold(Object::MemoryObject(MemoryObject::read_only_of(frames)));
    assert_eq!(code(map(&user, facet, 0, PAGE, Protection::ReadWrite)), ExceptionCode::Denied);
    let address = map(&user, facet, 0, PAGE, Protection::Read).expect("mapped");
    assert_eq!(code(protect(&user, address, Protection::ReadWrite)), ExceptionCode::Denied);
    protect(&user, address, Protection::ReadExecute).expect("allowed");
}

#[test]
fn only_the_inside_of_a_memory_object_can_be_mapped() {
    let world = World::new();
    let user = world.start("a");
    let frames = Frames::zeroed(2, &user.process().account).expect("memory");
    let object = user.hold(Object::MemoryObject(MemoryObject::new(frames)));
    for (offset, size) in
        [(0, 3 * PAGE), (PAGE, 2 * PAGE), (2 * PAGE, PAGE), (u64::MAX - PAGE + 1, PAGE), (1, PAGE)]
    {
        let refused = map(&user, object, offset, size, Protection::Read);
        assert_eq!(code(refused), ExceptionCode::InvalidArgument, "{offset:#x} {size:#x}");
    }
    let timer = user.hold(Object::Timer(crate::cap::timer::Timer));
    assert_eq!(code(map(&user, timer, 0, PAGE, Protection::Read)), ExceptionCode::InvalidArgument);
}

#[test]
fn memory_shared_with_a_process_that_ended_stays_charged_to_its_payer() {
    let world = World::new();
    let maker = world.start("maker");
    let keeper = world.start("keeper");
    let spare = world.machine.left(Resource::MemoryPages);
    let limit = maker.process().account.limit(Resource::MemoryPages);
    let frames = Frames::zeroed(3, &maker.process().account).expect("memory");
    let id = keeper.hold(Object::MemoryObject(MemoryObject::new(frames)));
    // Its ring block was still in use while it ended.
    let ring = maker.thread.shape.pages() as u64;
    let process = maker.process().clone();
    crate::task::end::end_process(&process, crate::task::process::Status::Killed);
    drop((maker, process));
    keeper.run();
    keeper.poll();
    assert_eq!(world.machine.left(Resource::MemoryPages), spare + limit - 3 - ring);
    let entry = keeper.process().release(id);
    drop(entry);
    assert_eq!(world.machine.left(Resource::MemoryPages), spare + limit);
}

#[test]
fn a_part_shows_its_own_pages_and_no_others() {
    let world = World::new();
    let user = world.start("a");
    let frames = Frames::zeroed(5, &user.process().account).expect("memory");
    for page in 0..5 {
        frames.write(page * 4096, &[page as u8]).expect("inside");
    }
    let object = user.hold(Object::MemoryObject(MemoryObject::new(frames)));
    let part_of = |whole: CapId, offset: u64, size: u64| {
        let params = memory_object::PartParams { offset, size };
        user.call_for_cap(whole, memory_object::INTERFACE_ID, memory_object::PART, &params)
    };
    let part = part_of(object, PAGE, 3 * PAGE).expect("inside");
    let inner = part_of(part, 2 * PAGE, PAGE).expect("inside");
    let first = |id: CapId, offset: u64| {
        let params = memory_object::ReadParams { offset, length: 1 };
        let cqe = user.call_raw(id, memory_object::INTERFACE_ID, memory_object::READ, &params, 0);
        let bytes = user.get(super::REPLY, cqe.result as usize);
        memory_object::ReadResults::decode(&bytes).expect("well-formed").data.first().copied()
    };
    assert_eq!([first(part, 0), first(part, 2 * PAGE), first(part, 3 * PAGE)], [Some(1), Some(3), None]);
    assert_eq!([first(inner, 0), first(inner, PAGE)], [Some(3), None]);
    for (offset, size) in
        [(0, 4 * PAGE), (PAGE, 3 * PAGE), (3 * PAGE, PAGE), (1, PAGE), (0, 0), (!0xfff, 2 * PAGE)]
    {
        let cqe = part_of(part, offset, size).expect_err("not inside");
        assert_eq!(
            ExceptionCode::from_code(cqe.method),
            ExceptionCode::InvalidArgument,
            "{offset:#x} {size:#x}"
        );
    }
    let write = |offset: u64, data: &[u8]| {
        let params = memory_object::WriteParams { offset, data };
        user.call_raw(part, memory_object::INTERFACE_ID, memory_object::WRITE, &params, 0)
    };
    assert_eq!(write(3 * PAGE - 1, &[7]).outcome(), 0);
    for (offset, data) in [(3 * PAGE - 1, &[7, 8][..]), (3 * PAGE, &[7][..]), (u64::MAX, &[7][..])] {
        assert_eq!(ExceptionCode::from_code(write(offset, data).method), ExceptionCode::InvalidArgument);
    }
    assert_eq!(code(map(&user, part, 2 * PAGE, 2 * PAGE, Protection::Read)), ExceptionCode::InvalidArgument);
    let address = map(&user, part, 2 * PAGE, PAGE, Protection::Read).expect("inside");
    let mut byte = [0];
    user.process().space.peek(address, &mut byte).expect("mapped");
    assert_eq!(byte, [3], "the page of the whole behind the part's third");
    let only_read = user
        .call_for_cap(part, memory_object::INTERFACE_ID, memory_object::READ_ONLY, &Empty)
        .expect("a facet");
    let last = part_of(only_read, PAGE, 2 * PAGE).expect("inside");
    assert_eq!(first(last, 0), Some(2));
    assert_eq!(code(map(&user, last, 0, PAGE, Protection::ReadWrite)), ExceptionCode::Denied);
}
