//! A delivery that needs memory on both sides: either all of it happens or nothing. What single operations do is in `every`.

use super::{CAPS, World, call_sqe, recv_sqe, return_sqe};
use crate::cap::Object;
use crate::ipc::endpoint::Endpoint;
use capos_abi::{CapId, Sqe, TransferSlot};
use kernel_hal::fake::{fail_nth_allocation, never_fail};
use std::vec::Vec;

#[test]
fn delivering_a_call_with_capabilities() {
    for n in 0..20 {
        let world = World::new();
        let server = world.start("server");
        let client = world.start("client");
        let right = Endpoint::create(4, &server.process().account).unwrap_or_else(|_| panic!());
        let facet = Endpoint::mint(&right.endpoint, 1, 7).unwrap_or_else(|_| panic!());
        let right = server.hold(Object::Endpoint(right));
        let facet = client.hold(Object::Client(facet));
        let timers: Vec<CapId> =
            (0..2).map(|_| client.hold(Object::Timer(crate::cap::timer::Timer))).collect();
        client.set_word(CAPS, TransferSlot::moved(timers[0]).0);
        client.set_word(CAPS + 8, TransferSlot::copy(timers[1]).0);
        server.submit(recv_sqe(right));
        server.poll();
        let before = (client.process().table.lock().len(), server.process().table.lock().len());
        client.submit(Sqe { caps_send: 2, ..call_sqe(facet, 7, 1, 8) });
        fail_nth_allocation(n);
        client.poll();
        let pending = never_fail();
        let after = (client.process().table.lock().len(), server.process().table.lock().len());
        server.poll();
        let delivered = server.ring.pop().filter(|cqe| cqe.result >= 0);
        match delivered {
            Some(cqe) => {
                assert_eq!(after, (before.0 - 1, before.1 + 2));
                assert_eq!(server.one(return_sqe(right, cqe.token, 0)).result, 0);
            }
            None => assert_eq!(after, before, "allocation {n}"),
        }
        if pending {
            assert!(delivered.is_some());
            return;
        }
    }
    panic!("more than 20 allocations");
}
