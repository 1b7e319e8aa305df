//! What units are told when something changes, and when: after the tables have changed, and before anybody goes on.

#[path = "../x86/iommu/amd.rs"]
mod amd;
#[path = "../x86/iommu/domain.rs"]
#[expect(dead_code, reason = "audits are not tried here")]
mod domain;
#[path = "../x86/iommu/intel.rs"]
mod intel;
#[path = "../x86/iommu/interrupts.rs"]
mod interrupts;
#[path = "../x86/iommu/tables.rs"]
mod tables;
#[path = "../x86/iommu/unit.rs"]
#[expect(dead_code, reason = "interrupts of faults are not tried here")]
mod unit;
#[path = "../x86/iommu/words.rs"]
mod words;

use super::mem::{Frames, phys};
use super::message::Message;
use super::unit::{self as fake, IOVA, Model, SOURCE, Told, VECTOR};
use crate::account::Account;
use crate::device::Registers;
use crate::order::LockRank;
use crate::sync::{Lock, Ref};
use crate::types::{IommuError, MessageEntry, MessagePlace};
use alloc::vec::Vec;
use capos_iommu::{amd as amd_vi, intel as vt_d};
use capos_mem::{RESOURCES, Resource};
use core::cell::Cell;
use domain::Domain;
pub(super) use interrupts::Origin;
use std::boxed::Box;
use std::thread_local;

/// All that are told different things.
pub(super) const MODELS: [Model; 3] = [Model::Intel, Model::Caching, Model::Amd];
/// The first domain's number.
const NUMBER: u16 = 1;

thread_local! {
    static ORIGIN: Cell<Option<Origin>> = const { Cell::new(None) };
}

/// Who everything is: for `Domain`, and for lines and messages.
pub(super) fn origin(_function: u32) -> Option<Origin> {
    ORIGIN.get()
}

/// Nothing goes through a unit.
pub(super) fn remove() {
    ORIGIN.set(None);
}

/// Switches on a unit, and makes a domain behind it.
pub(super) fn start(model: Model) -> (Domain, Ref<Account>) {
    fake::install(model);
    let mut kind = match model {
        Model::Amd => unit::Kind::Amd(amd::Amd::find(0).expect("it has all that it needs")),
        _ => unit::Kind::Intel(intel::Intel::find(0, false).expect("it has all that it needs")),
    };
    kind.start().expect("it answers");
    let unit = Box::leak(Box::new(Lock::new(LockRank::Unit, unit::Unit::new(kind))));
    ORIGIN.set(Some(Origin { unit, source: SOURCE }));
    let account = Account::root([1000; RESOURCES]).expect("host memory");
    let domain = Domain::new(SOURCE.into(), 48, &account).expect("there is a unit");
    fake::told();
    (domain, account)
}

/// Some pages.
fn frames(pages: usize) -> Ref<Frames> {
    let pages = (0..pages).map(|_| phys::kernel_frame().expect("host memory")).collect();
    Ref::try_new(Frames(pages, false)).expect("host memory")
}

/// A unit is to forget the domain.
fn domain(model: Model) -> [u64; 2] {
    match model {
        Model::Amd => amd_vi::Command::Domain(NUMBER).words(),
        _ => vt_d::Command::Domain(NUMBER).words(),
    }
}

/// A unit is to forget which tables a function has.
fn function(model: Model) -> [u64; 2] {
    match model {
        Model::Amd => amd_vi::Command::Device(SOURCE).words(),
        _ => vt_d::Command::Contexts.words(),
    }
}

/// Commands while the device reaches or reaches not.
fn memory(commands: &[[u64; 2]], reaches: bool) -> Vec<Told> {
    commands.iter().map(|command| Told { command: *command, reaches, raises: false }).collect()
}

#[test]
fn who_comes_and_goes_is_told() {
    for model in MODELS {
        let (mut it, _account) = start(model);
        it.map(IOVA, &frames(1), true).expect("nothing is there");
        assert_eq!(fake::told(), [], "{model:?}: nobody looks at the tables yet");
        it.attach().expect("it answers");
        assert_eq!(fake::told(), memory(&[function(model), domain(model)], true), "{model:?}");
        it.detach().expect("it answers");
        assert_eq!(fake::told(), memory(&[function(model), domain(model)], false), "{model:?}");
        it.attach().expect("it answers");
        fake::told();
        drop(it);
        assert_eq!(fake::told(), memory(&[function(model), domain(model)], false), "{model:?}: dropped");
    }
}

#[test]
fn what_goes_is_told_and_what_comes_to_who_remembers_that_nothing_was_there() {
    for model in MODELS {
        let (mut it, _account) = start(model);
        it.attach().expect("it answers");
        fake::told();
        it.map(IOVA, &frames(1), true).expect("nothing is there");
        let came = if model == Model::Intel { Vec::new() } else { memory(&[domain(model)], true) };
        assert_eq!(fake::told(), came, "{model:?}");
        it.unmap(IOVA).expect("it is there");
        assert_eq!(fake::told(), memory(&[domain(model)], false), "{model:?}");
    }
}

#[test]
fn what_was_there_for_a_moment_is_told() {
    for model in MODELS {
        let (mut it, _account) = start(model);
        it.attach().expect("it answers");
        it.map(IOVA + 4096, &frames(1), true).expect("nothing is there");
        fake::told();
        assert_eq!(it.map(IOVA, &frames(2), true), Err(IommuError::Exists));
        assert_eq!(fake::told(), memory(&[domain(model)], false), "{model:?}");
    }
}

#[test]
fn interrupts_that_come_and_go_are_told() {
    for model in MODELS {
        let (_domain, _account) = start(model);
        let origin = ORIGIN.get().expect("just made");
        let registers = Registers::in_memory(0xdead_0000_0000, 4096).expect("nothing is there");
        let place = MessagePlace::Table(registers);
        let entry = MessageEntry { function: SOURCE.into(), entry: 0, place };
        let message = Message { entry, vector: VECTOR, origin: Some(origin) };
        let expected = |raises| {
            let commands = match model {
                Model::Amd => [amd_vi::Command::Device(SOURCE), amd_vi::Command::Interrupts(SOURCE)]
                    .map(|it| it.words())
                    .to_vec(),
                _ => [vt_d::Command::Interrupt(VECTOR).words()].to_vec(),
            };
            commands.into_iter().map(|command| Told { command, reaches: false, raises }).collect::<Vec<_>>()
        };
        message.set_masked(true);
        assert_eq!(fake::told(), [], "{model:?}: that is the function's own");
        message.set_target(0);
        assert_eq!(fake::told(), expected(true), "{model:?}");
        message.withdraw();
        assert_eq!(fake::told(), expected(false), "{model:?}");
    }
}

#[test]
fn what_a_silent_unit_may_remember_stays() {
    for model in MODELS {
        let (mut it, account) = start(model);
        let (taken, left) = (frames(1), frames(1));
        it.map(IOVA, &taken, true).expect("nothing is there");
        it.map(IOVA + 4096, &left, true).expect("nothing is there");
        it.attach().expect("it answers");
        let paid = account.used(Resource::MemoryPages);
        fake::fall_silent();
        assert!(matches!(it.unmap(IOVA), Err(IommuError::Unresponsive)), "{model:?}");
        drop(it);
        assert_eq!(account.used(Resource::MemoryPages), paid, "{model:?}: tables stay and are paid for");
        assert_eq!((Ref::count(&taken), Ref::count(&left)), (2, 2), "{model:?}: memory stays");
    }
}

#[test]
fn what_a_unit_had_no_room_for_is_counted_once_and_it_goes_on() {
    for model in MODELS {
        let (_domain, _account) = start(model);
        let unit = ORIGIN.get().expect("just made").unit;
        let lost = || {
            let mut unit = unit.lock();
            unit.read_faults(&mut |_| true);
            unit.lost
        };
        assert_eq!(lost(), 0, "{model:?}");
        for times in 1..3 {
            fake::overflow();
            assert_eq!((lost(), lost()), (times, times), "{model:?}");
        }
    }
}

#[test]
fn of_functions_that_are_one_to_the_unit_one_is_attached() {
    for model in MODELS {
        let (mut one, account) = start(model);
        let mut other = Domain::new(u32::from(SOURCE) + 1, 48, &account).expect("there is a unit");
        one.attach().expect("it answers");
        assert_eq!(other.attach(), Err(IommuError::Taken), "{model:?}");
        one.detach().expect("it answers");
        other.attach().expect("it is free");
    }
}

#[test]
fn a_domain_in_whose_place_another_one_is_says_so() {
    for model in MODELS {
        let (mut one, account) = start(model);
        assert!(!one.is_in_place(), "{model:?}: nobody has attached it");
        one.attach().expect("it answers");
        assert!(one.is_in_place(), "{model:?}");
        // Somebody else tells the unit.
        let unit = ORIGIN.get().expect("just made").unit;
        unit.lock().detach(SOURCE, NUMBER).expect("it answers");
        assert!(!one.is_in_place(), "{model:?}");
        let mut other = Domain::new(SOURCE.into(), 48, &account).expect("there is a unit");
        other.attach().expect("it is free");
        assert!(!one.is_in_place() && other.is_in_place(), "{model:?}");
    }
}
