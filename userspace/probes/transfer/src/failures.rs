//! Transfers with a call, both sides in our hands.

use crate::world::{OBJECTS, World, cancel, meet};
use probe::bare::{Bare, INBOX_CAPS, Notes, answer};
use rt::abi::{Cqe, TransferSlot};
use rt::schema::memory_object;
use rt::{CapId, TransportError};

const INVALID: i32 = TransportError::InvalidCap.code();
const ARGUMENT: i32 = TransportError::InvalidArgument.code();
const NO_ROOM: i32 = TransportError::PeerBudgetExhausted.code();

pub fn all(bare: &mut Bare<'_>, notes: &Notes, observer: (CapId, u64)) {
    let mut world = World::new(bare, observer);
    bad_slots(bare, notes, &world);
    duplicates(bare, notes, &world);
    no_room(bare, notes, &world);
    cut_off(bare, notes, &world);
    full_table(bare, notes, &world);
    copies(bare, notes, &world);
    moves(bare, notes, &mut world);
    world.end(bare);
}

/// One bad word at every position, the others moves: nothing may move.
fn bad_slots(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    let own = world.objects[0];
    let stale = CapId::new(own.index(), own.generation() + 1);
    let kinds = [
        ("nothing", TransferSlot(0), INVALID),
        ("a stale id", TransferSlot::moved(stale), INVALID),
        ("an id beyond the table", TransferSlot::copy(CapId::new(0xff_fff0, 1)), INVALID),
        ("an unknown mode", TransferSlot(own.raw() | 9 << 56), ARGUMENT),
    ];
    for (kind, bad, wanted) in kinds {
        for position in 0..OBJECTS {
            for receiver_first in [false, true] {
                let mut slots = world.moved();
                if let Some(place) = slots.get_mut(position) {
                    *place = bad;
                }
                refused(bare, notes, world, kind, &slots, receiver_first, wanted);
            }
        }
    }
}

/// Sends `slots` and notes that it failed as wanted, arrived nowhere, and changed nothing.
fn refused(
    bare: &mut Bare<'_>,
    notes: &Notes,
    world: &World,
    kind: &'static str,
    slots: &[TransferSlot],
    receiver_first: bool,
    wanted: i32,
) {
    let call = world.call(bare, slots, 0);
    let (outcome, arrival) = meet(bare, &call, &world.recv(16), receiver_first);
    let untouched = arrival.is_none() && world.is_intact(bare);
    // A wrong code or a changed table shows as another number than wanted.
    notes.note(kind, if untouched { outcome.result } else { 1 }, wanted);
}

fn duplicates(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    let [a, b, ..] = world.objects;
    let cases = [
        ("one id moved twice", [TransferSlot::moved(a), TransferSlot::moved(b), TransferSlot::moved(a)]),
        (
            "one id copied, then moved",
            [TransferSlot::copy(a), TransferSlot::moved(b), TransferSlot::moved(a)],
        ),
        (
            "one id moved, then copied",
            [TransferSlot::moved(a), TransferSlot::moved(b), TransferSlot::copy(a)],
        ),
    ];
    for (kind, slots) in cases {
        for receiver_first in [false, true] {
            refused(bare, notes, world, kind, &slots, receiver_first, INVALID);
        }
    }
}

/// A receiver's array that is too short.
fn no_room(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    for receiver_first in [false, true] {
        for room in 0..OBJECTS as u8 {
            let call = world.call(bare, &world.moved(), 0);
            let (outcome, arrival) = meet(bare, &call, &world.recv(room), receiver_first);
            let untouched = arrival.is_none() && world.is_intact(bare);
            notes.note("a receiver without room", if untouched { outcome.result } else { 1 }, NO_ROOM);
        }
    }
}

/// Calls that end in the queue.
fn cut_off(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    let call = world.call(bare, &world.moved(), 0);
    let number = bare.start(&call);
    bare.flush();
    notes.note("cancelled in the queue", cancel(bare, number).result, TransportError::Canceled.code());
    notes.note("cancelled: all is where it was", i32::from(world.is_intact(bare)), 1);

    let right = bare.endpoint(2);
    let facet = bare.mint(right, 2);
    let call = rt::abi::Sqe { cap: facet.raw(), ..world.call(bare, &world.moved(), 0) };
    let number = bare.start(&call);
    bare.flush();
    bare.release(right);
    notes.note("closed in flight", bare.wait(number).result, TransportError::Disconnected.code());
    bare.release(facet);
    notes.note("closed: all is where it was", i32::from(world.is_intact(bare)), 1);
}

/// Our own table full to the last slot but two: four copies do not fit.
fn full_table(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    let mut fillers = [CapId::NULL; 256];
    let mut filled = 0;
    for place in &mut fillers {
        let object = (world.objects[0], memory_object::INTERFACE_ID);
        let call = bare.call(object, memory_object::READ_ONLY, &rt::schema::Empty, &[], 1);
        *place = bare.taken(&call);
        if *place == CapId::NULL {
            break;
        }
        filled += 1;
    }
    notes.note("the table can be filled", i32::from((3..256).contains(&filled)), 1);
    for place in fillers.iter_mut().take(filled).rev().take(2) {
        bare.release(core::mem::take(place));
    }
    for receiver_first in [false, true] {
        let call = world.call(bare, &world.copied(), 0);
        let (outcome, arrival) = meet(bare, &call, &world.recv(16), receiver_first);
        notes.note("a full table", if arrival.is_none() { outcome.result } else { 1 }, NO_ROOM);
    }
    for id in fillers.into_iter().filter(|id| *id != CapId::NULL) {
        bare.release(id);
    }
    notes.note("a full table: all is where it was", i32::from(world.is_intact(bare)), 1);
}

fn arrived(bare: &Bare<'_>, arrival: &Cqe) -> [CapId; OBJECTS] {
    core::array::from_fn(|n| match n < usize::from(arrival.caps) {
        true => CapId::from_raw(bare.ring.arena(INBOX_CAPS + 8 * n as u32)),
        false => CapId::NULL,
    })
}

fn copies(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    for receiver_first in [false, true] {
        let call = world.call(bare, &world.copied(), 0);
        let (outcome, arrival) = meet(bare, &call, &world.recv(16), receiver_first);
        let arrival = arrival.unwrap_or_default();
        let ids = arrived(bare, &arrival);
        notes.note("copies arrive in order", i32::from(world.are_the_objects(bare, &ids)), 1);
        bare.run(&answer(world.right, arrival.token, 0));
        notes.note("the call is answered", bare.wait(outcome.user_data).result, 0);
        for id in ids {
            bare.release(id);
        }
        notes.note("copied: all is where it was", i32::from(world.is_intact(bare)), 1);
    }
}

fn moves(bare: &mut Bare<'_>, notes: &Notes, world: &mut World) {
    for receiver_first in [false, true] {
        let before = world.objects;
        let call = world.call(bare, &world.moved(), 0);
        let (outcome, arrival) = meet(bare, &call, &world.recv(16), receiver_first);
        let arrival = arrival.unwrap_or_default();
        let ids = arrived(bare, &arrival);
        notes.note("moved objects arrive in order", i32::from(world.are_the_objects(bare, &ids)), 1);
        notes.note("their old ids are stale", i32::from(World::are_gone(bare, &before)), 1);
        bare.run(&answer(world.right, arrival.token, 0));
        notes.note("the call is answered, too", bare.wait(outcome.user_data).result, 0);
        world.objects = ids;
        notes.note("moved: as many slots as before", i32::from(world.is_intact(bare)), 1);
    }
}
