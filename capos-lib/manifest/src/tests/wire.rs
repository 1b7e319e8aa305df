//! Messages: there and back, and hostile ones.

use super::{config, export, grant, sound};
use crate::generated::manifest_capnp as message;
use crate::{
    Backoff, Budget, Escalate, Follow, Health, Iommu, Limit, Manifest, ManifestError, PanicAction, PciMatch,
    Restart, Service, Source, decode, encode,
};
use alloc::string::ToString;
use alloc::vec::Vec;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

#[test]
fn there_and_back() {
    let manifest = sound();
    assert_eq!(decode(&encode(&manifest)).unwrap(), manifest);
    assert_eq!(decode(&encode(&Manifest::default())).unwrap(), Manifest::default());
}

#[test]
fn equal_manifests_are_equal_bytes() {
    assert_eq!(encode(&sound()), encode(&sound()));
}

#[test]
fn where_the_bytes_lie_does_not_matter() {
    let bytes = encode(&sound());
    for shift in 0..8 {
        let mut moved = Vec::from_iter(core::iter::repeat_n(0, shift));
        moved.extend(&bytes);
        assert_eq!(decode(&moved[shift..]).unwrap(), sound());
    }
}

#[test]
fn every_cut_is_refused() {
    let bytes = encode(&sound());
    let step = if cfg!(miri) { 97 } else { 1 };
    for length in (0..bytes.len() - 8).step_by(step) {
        assert!(decode(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn no_bytes_and_too_many() {
    assert!(matches!(decode(&[]), Err(ManifestError::Malformed(_))));
    let huge = alloc::vec![0; 256 * 1024 + 1];
    assert_eq!(decode(&huge), Err(ManifestError::TooLong { bytes: 256 * 1024 + 1 }));
}

/// A message made by hand.
fn made(make: impl FnOnce(message::system_manifest::Builder<'_>)) -> Vec<u8> {
    let mut builder = capnp::message::Builder::new_default();
    make(builder.init_root());
    capnp::serialize::write_message_to_words(&builder)
}

#[test]
fn another_version() {
    let bytes = made(|mut root| root.set_version(2));
    let error = decode(&bytes).unwrap_err();
    assert_eq!(error, ManifestError::Version(2));
    assert!(error.to_string().contains("version 2"));
}

#[test]
fn too_many_services() {
    let bytes = made(|mut root| {
        root.set_version(1);
        root.init_services(1025);
    });
    assert_eq!(decode(&bytes), Err(ManifestError::TooManyServices(1025)));
}

#[test]
fn what_a_message_leaves_out_is_as_the_schema_says() {
    let bytes = made(|mut root| {
        root.set_version(1);
        root.init_services(1);
    });
    let service = decode(&bytes).unwrap().services.remove(0);
    assert_eq!(service, Service::new(""));
    assert!(service.autostart);
    assert_eq!(service.budget, Budget::default());
}

#[test]
fn an_enumeration_from_the_future() {
    let mut bytes = made(|mut root| {
        root.set_version(1);
        root.set_on_panic(message::PanicAction::Reboot);
    });
    let version = bytes.windows(8).position(|word| word == [1, 0, 0, 0, 1, 0, 0, 0]).unwrap();
    bytes[version + 4] = 7;
    let error = decode(&bytes).unwrap_err();
    assert_eq!(error, ManifestError::UnknownValue(7));
    assert!(error.to_string().contains('7'));
}

#[test]
fn a_text_that_is_none() {
    let mut bytes = made(|mut root| {
        root.set_version(1);
        root.set_name("names");
    });
    let at = bytes.windows(5).position(|text| text == b"names").unwrap();
    bytes[at] = 0xff;
    assert_eq!(decode(&bytes), Err(ManifestError::NotText));
}

/// Index of the word that a list pointer leads to.
fn target(words: &[[u8; 8]], pointer: usize) -> usize {
    let [a, b, c, d, ..] = words[pointer];
    // Two bits of kind, then the distance from the next word.
    pointer + 1 + (u32::from_le_bytes([a, b, c, d]) >> 2) as usize
}

#[test]
fn pointers_to_the_same_bytes_do_not_multiply_them() {
    const MANY: u32 = 64;
    let bytes = made(|mut root| {
        root.set_version(1);
        let mut services = root.init_services(MANY);
        let mut args = services.reborrow().get(0).init_args(MANY);
        (0..MANY).for_each(|n| args.set(n, "argument"));
    });
    let mut words: Vec<[u8; 8]> = bytes.as_chunks().0.to_vec();
    // Segment table, root pointer, then the root: two words of data, the name, the services. These begin with a tag; each has two
    // words of data and nine pointers, the third of which leads to the arguments.
    let services = target(&words, 5);
    let args_of = |service: usize| services + 1 + 11 * service + 4;
    let list = target(&words, args_of(0));
    let [.., e, f, g, h] = words[args_of(0)];
    for service in 1..MANY as usize {
        let [a, b, c, d] = (((list - args_of(service) - 1) as u32) << 2 | 1).to_le_bytes();
        words[args_of(service)] = [a, b, c, d, e, f, g, h];
    }
    assert_eq!(decode(&bytes).unwrap().services[0].args.len(), MANY as usize);
    let error = decode(words.as_flattened()).unwrap_err();
    assert!(error.to_string().contains("no sound message"), "{error}");
    assert!(matches!(error, ManifestError::Malformed(capnp::ErrorKind::ReadLimitExceeded)), "{error:?}");
}

fn a_name() -> impl Strategy<Value = alloc::string::String> {
    prop_oneof!["[a-z_-]{0,12}", ".{0,5}"]
}

/// Numbers below the highest, which stands for any.
fn a_number() -> impl Strategy<Value = Option<u16>> {
    prop::option::of(0..u16::MAX)
}

pub(super) fn a_match() -> impl Strategy<Value = PciMatch> {
    let numbers = (a_number(), a_number(), a_number(), a_number(), a_number(), a_number());
    ("[a-z]{0,6}", numbers, prop::option::of(0..u32::MAX)).prop_map(
        |(policy, (vendor, device, subsystem_vendor, subsystem, address, nth), class)| PciMatch {
            policy,
            vendor,
            device,
            class,
            subsystem_vendor,
            subsystem,
            address,
            nth,
        },
    )
}

fn a_service() -> impl Strategy<Value = Service> {
    let source = prop_oneof![
        a_name().prop_map(Source::Kernel),
        (a_name(), a_name()).prop_map(|(service, export)| Source::Export { service, export }),
        (any::<u16>(), any::<u16>()).prop_map(|(base, length)| Source::IoPort { base, length }),
        any::<u32>().prop_map(Source::Irq),
        prop::collection::vec(a_match(), 0..3).prop_map(Source::Pci),
    ];
    let caps = prop::collection::vec((a_name(), a_name(), source), 0..4);
    let exports = prop::collection::vec((a_name(), a_name()), 0..3);
    let restart = prop_oneof![Just(Restart::Never), Just(Restart::OnFailure), Just(Restart::Always)];
    let numbers = (any::<[u32; 8]>(), any::<(u8, u16)>(), any::<bool>());
    (a_name(), a_name(), prop::collection::vec(a_name(), 0..3), caps, exports, restart, numbers).prop_map(
        |(name, binary, args, caps, exports, restart, (numbers, (priority, cpu_percent), autostart))| {
            let [
                memory_pages,
                cap_slots,
                threads,
                calls_in_flight,
                endpoint_entries,
                log_bytes,
                dma_pages,
                vectors,
            ] = numbers;
            Service {
                name,
                binary,
                args,
                caps: caps
                    .iter()
                    .map(|(name, interface, source)| grant(name, interface, source.clone()))
                    .collect(),
                exports: exports.iter().map(|(name, interface)| export(name, interface)).collect(),
                budget: Budget {
                    memory_pages,
                    cap_slots,
                    threads,
                    calls_in_flight,
                    endpoint_entries,
                    log_bytes,
                    priority,
                    cpu_percent,
                    dma_pages,
                    vectors,
                },
                restart,
                autostart,
                backoff: Backoff { first_ms: threads, longest_ms: cap_slots },
                limit: Limit { restarts: priority, window_ms: log_bytes },
                health: autostart.then_some(Health {
                    ready_ms: log_bytes,
                    every_ms: cap_slots,
                    answer_ms: threads,
                }),
                drain_ms: memory_pages,
                follow: [Follow::Nothing, Follow::Told, Follow::Restarted][priority as usize % 3],
                escalate: [Escalate::Nothing, Escalate::Group, Escalate::Reboot][priority as usize / 3 % 3],
            }
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_manifest_there_and_back(
        name in a_name(),
        services in prop::collection::vec(a_service(), 0..5),
        seed in any::<u64>(),
        reboot in any::<bool>(),
        required in any::<bool>(),
    ) {
        let on_panic = if reboot { PanicAction::Reboot } else { PanicAction::Halt };
        let iommu = if required { Iommu::Required } else { Iommu::Optional };
        let manifest = Manifest { name, services, seed, on_panic, iommu };
        prop_assert_eq!(decode(&encode(&manifest)), Ok(manifest));
    }

    #[test]
    fn any_manifest_can_be_checked(services in prop::collection::vec(a_service(), 0..5), pages in any::<u64>()) {
        let manifest = Manifest { services, ..Manifest::default() };
        let facts = crate::Facts::new(Vec::new(), pages);
        // Every service lacks its program at least.
        assert!(crate::validate(&manifest, &facts).len() >= manifest.services.len());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_change_of_a_sound_message(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let mut bytes = encode(&sound());
        let length = bytes.len();
        changes.iter().for_each(|(at, value)| bytes[at % length] = *value);
        if let Ok(manifest) = decode(&bytes) {
            crate::validate(&manifest, &super::facts());
        }
    }
}
