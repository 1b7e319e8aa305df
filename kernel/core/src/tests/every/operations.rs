//! Every operation of the ring.

use super::super::{CAPS, World, call_sqe, recv_sqe, return_recv_sqe, return_sqe};
use super::{Case, Scene, endure_all};
use crate::cap::Object;
use crate::cap::timer::Timer;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::transfer;
use capos_abi::{CapId, Op, Sqe, TransferSlot};
use capos_schema::{Empty, endpoint_factory};
use kernel_hal::sync::Ref;

#[test]
fn every_operation_has_a_case() {
    for op in (0..=u8::MAX).filter_map(Op::from_u8) {
        let name = std::format!("{op:?}");
        let known = CASES.iter().any(|case| case.name.split(' ').next() == Some(&name));
        assert!(known, "{name} has no case under shortage: add one to CASES");
    }
}

#[test]
fn every_operation_endures_every_shortage() {
    let failures: u64 = CASES.iter().map(endure_all).sum();
    // Few: what operations need was set aside when the endpoint and the thread were made. Only tables grow.
    assert!(failures > 0, "the shortages are not met");
}

/// A client and a server with `depth` places in its queue; the client holds a facet, the server the right.
struct Two {
    client: super::User,
    server: super::User,
    facet: CapId,
    right: CapId,
}

fn two(world: &World, depth: u32) -> Two {
    let (server, client) = (world.start("server"), world.start("client"));
    let right = Endpoint::create(depth, &server.process().account).unwrap_or_else(|_| panic!("memory"));
    let facet: Ref<_> = Endpoint::mint(&right.endpoint, 1, 7).unwrap_or_else(|_| panic!("memory"));
    let right = server.hold(Object::Endpoint(right));
    let facet = client.hold(Object::Client(facet));
    Two { client, server, facet, right }
}

fn from_client(two: Two, sqe: Sqe) -> Scene {
    let mut scene = Scene::new(two.client, sqe);
    scene.others.push(two.server);
    scene
}

fn from_server(two: Two, sqe: Sqe) -> Scene {
    let mut scene = Scene::new(two.server, sqe);
    scene.others.push(two.client);
    scene
}

fn call(two: &Two, caps: bool) -> Sqe {
    if caps {
        let timer = two.client.hold(Object::Timer(Timer));
        two.client.set_word(CAPS, TransferSlot::copy(timer).0);
    }
    Sqe { caps_send: u8::from(caps), caps_recv: 1, ..call_sqe(two.facet, 7, 1, 8) }
}

/// The server has received a call of the client; gives its token.
fn received(two: &Two) -> u64 {
    two.client.submit(call(two, false));
    two.client.poll();
    two.server.submit(recv_sqe(two.right));
    two.server.poll();
    two.server.pop().token
}

fn answer(world: &World, caps: bool) -> Scene {
    let two = two(world, 4);
    let token = received(&two);
    if caps {
        let timer = two.server.hold(Object::Timer(Timer));
        two.server.set_word(CAPS, TransferSlot::copy(timer).0);
    }
    let sqe = Sqe { caps_send: u8::from(caps), caps_off: CAPS, ..return_sqe(two.right, token, 0) };
    from_server(two, sqe)
}

static CASES: &[Case] = &[
    Case { name: "Nop", scene: |world| Scene::new(world.start("user"), Sqe::default()) },
    Case {
        name: "Call that waits in the queue",
        scene: |world| {
            let two = two(world, 4);
            let sqe = call(&two, false);
            from_client(two, sqe)
        },
    },
    Case {
        name: "Call with a capability that waits",
        scene: |world| {
            let two = two(world, 4);
            let sqe = call(&two, true);
            from_client(two, sqe)
        },
    },
    Case {
        name: "Recv that waits",
        scene: |world| {
            let two = two(world, 4);
            let sqe = recv_sqe(two.right);
            from_server(two, sqe)
        },
    },
    Case {
        name: "Recv of a call that waits",
        scene: |world| {
            let two = two(world, 4);
            two.client.submit(call(&two, false));
            two.client.poll();
            let sqe = recv_sqe(two.right);
            from_server(two, sqe)
        },
    },
    Case {
        name: "Recv of a call with a capability",
        scene: |world| {
            let two = two(world, 4);
            two.client.submit(call(&two, true));
            two.client.poll();
            let sqe = recv_sqe(two.right);
            from_server(two, sqe)
        },
    },
    Case { name: "Return", scene: |world| answer(world, false) },
    Case { name: "Return with a capability", scene: |world| answer(world, true) },
    Case {
        name: "ReturnRecv",
        scene: |world| {
            let two = two(world, 4);
            let token = received(&two);
            let sqe = return_recv_sqe(two.right, token, 0);
            from_server(two, sqe)
        },
    },
    Case {
        name: "Release",
        scene: |world| {
            let user = world.start("user");
            let id = user.hold(Object::Timer(Timer));
            Scene::new(user, Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() })
        },
    },
    Case {
        name: "Revoke",
        scene: |world| {
            let (user, other) = (world.start("user"), world.start("other"));
            let cap = user.hold(Object::Timer(Timer));
            let given = transfer::grant(user.process(), other.process(), TransferSlot::copy(cap));
            given.expect("a copy");
            Scene::new(user, Sqe { op: Op::Revoke as u8, cap: cap.raw(), ..Sqe::default() })
        },
    },
    Case {
        name: "Park",
        scene: |world| {
            Scene::new(
                world.start("user"),
                Sqe { op: Op::Park as u8, cap: 1, user_data: 9, ..Sqe::default() },
            )
        },
    },
    Case {
        name: "Unpark",
        scene: |world| {
            let user = world.start("user");
            let cap = user.thread.id;
            Scene::new(user, Sqe { op: Op::Unpark as u8, cap, interface: 1, user_data: 9, ..Sqe::default() })
        },
    },
    Case {
        name: "Wait",
        scene: |world| {
            let user = world.start("user");
            let target = (CapId::SELF_ENDPOINTS, endpoint_factory::INTERFACE_ID);
            let event = user.call_for_cap(target.0, target.1, endpoint_factory::CREATE_NOTIFICATION, &Empty);
            let cap = event.expect("a notification").raw();
            Scene::new(user, Sqe { op: Op::Wait as u8, cap, user_data: 9, ..Sqe::default() })
        },
    },
    Case {
        name: "Cancel",
        scene: |world| {
            let two = two(world, 4);
            two.server.submit(Sqe { user_data: 77, ..recv_sqe(two.right) });
            two.server.poll();
            from_server(two, Sqe { op: Op::Cancel as u8, aux: 77, user_data: 1, ..Sqe::default() })
        },
    },
];
