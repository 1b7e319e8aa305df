//! Mapping, touching and unmapping a page: with the runtime and without.

use crate::measure::{Bench, Region as Measured};
use crate::primitives::bare_figure;
use probe::bare::{Bare, MESSAGE, REPLY};
use rt::abi::{CapId, PAGE_SIZE, Sqe, TransferSlot};
use rt::region::{Region, touch};
use rt::schema::virtual_memory::{self as vm, Protection};
use rt::{CallError, threads};

const PAGE: u64 = PAGE_SIZE as u64;
/// Rounds of one sample.
const ROUNDS: u64 = 16;
/// Where the second message lies, and which of its words is the address.
const UNMAP: u32 = MESSAGE + 0x100;

/// `vm.map_touch_unmap.4K`: a page of a memory object, on a bare ring. `vm.map_touch_unmap.4K_runtime`: the same with the runtime.
/// `vm.reserve_commit_touch_unmap.4K`: fresh memory, with the runtime.
pub fn all(bench: &Bench) -> Result<(), CallError> {
    let object = threads::memory().create_object_blocking(PAGE)?;
    let id = object.cap().id();
    bare_figure(bench, "vm.map_touch_unmap.4K", ROUNDS, move |bare| rounds(bare, id))?;
    bench.figure("vm.map_touch_unmap.4K_runtime", || {
        let region = Region::map(&object, 0, PAGE, Protection::ReadWrite)?;
        region.store(0, 1);
        Ok(())
    })?;
    bench.figure("vm.reserve_commit_touch_unmap.4K", || {
        let region = Region::reserve(PAGE)?;
        region.commit(0, PAGE, Protection::ReadWrite)?;
        region.store(0, 1);
        Ok(())
    })
}

fn rounds(bare: &mut Bare<'_>, object: CapId) -> u64 {
    let rounds = Rounds::prepare(bare, object);
    let measured = Measured::start();
    let done = (0..ROUNDS).all(|_| rounds.one(bare));
    if done { measured.stop() } else { 0 }
}

/// The two calls, ready in the arena.
pub struct Rounds {
    map: Sqe,
    unmap: Sqe,
}

impl Rounds {
    /// For the first page of a memory object.
    pub fn prepare(bare: &Bare<'_>, object: CapId) -> Rounds {
        let target = (CapId::SELF_MEMORY, vm::INTERFACE_ID);
        let params = vm::UnmapParams { address: 0, size: PAGE };
        let unmap = bare.call(target, vm::UNMAP, &params, &[], 0);
        for offset in (0..unmap.msg_len).step_by(8) {
            bare.ring.set_arena(UNMAP + offset, bare.ring.arena(MESSAGE + offset));
        }
        let unmap = Sqe { msg_off: UNMAP, ..unmap };
        let params = vm::MapParams { offset: 0, size: PAGE, protection: Protection::ReadWrite };
        let map = bare.call(target, vm::MAP, &params, &[TransferSlot::copy(object)], 0);
        Rounds { map, unmap }
    }

    /// Maps it, touches it, unmaps it.
    pub fn one(&self, bare: &mut Bare<'_>) -> bool {
        if !succeeds(bare, &self.map) {
            return false;
        }
        // The first word after the root pointer, of the answer and of the question.
        let address = bare.ring.arena(REPLY + 8);
        touch(address);
        bare.ring.set_arena(UNMAP + 8, address);
        succeeds(bare, &self.unmap)
    }
}

fn succeeds(bare: &mut Bare<'_>, call: &Sqe) -> bool {
    bare.submit(call);
    bare.ring.enter(1, rt::sys::FOREVER);
    bare.pop().is_some_and(|cqe| cqe.result >= 0 && cqe.flags == 0)
}
