//! Devices that services are to have.

use super::wire::a_match;
use super::{config, export, grant, issue, issues, kernel};
use crate::device::parse_address;
use crate::{Budget, Field, Manifest, PciFunction, PciMatch, Service, Source, arguments, claims, providers};
use alloc::string::ToString;
use alloc::vec::Vec;
use proptest::prelude::{prop_assert_eq, proptest};

fn entropy() -> PciMatch {
    PciMatch {
        policy: "virtio".to_string(),
        vendor: Some(0x1af4),
        device: Some(0x1044),
        ..PciMatch::default()
    }
}

/// A system with a driver in front of who hands devices out.
fn with_devices(manifest: &mut Manifest) {
    let driver = Service {
        binary: "serial".to_string(),
        caps: Vec::from([grant("device", "DeviceClaim", Source::Pci([entropy()].into()))]),
        budget: Budget { dma_pages: 8, ..Budget::default() },
        ..Service::new("driver")
    };
    let devmgr = Service {
        binary: "diag".to_string(),
        args: Vec::from(["--claims".to_string()]),
        caps: Vec::from([kernel("devices", "DeviceManager")]),
        exports: Vec::from([export("claims", "DeviceClaim")]),
        ..Service::new("devmgr")
    };
    manifest.services.extend([driver, devmgr]);
}

fn wanted(manifest: &mut Manifest) -> &mut PciMatch {
    match &mut manifest.services[3].caps[0].source {
        Source::Pci(matches) => &mut matches[0],
        _ => unreachable!(),
    }
}

/// What is wrong after a change of the device that is wanted.
#[track_caller]
fn wrong(change: impl FnOnce(&mut PciMatch)) -> alloc::string::String {
    let (text, field, entry) = issue(|manifest| {
        with_devices(manifest);
        change(wanted(manifest));
    });
    assert_eq!((field, entry.as_str()), (Field::Caps, "device"));
    text
}

#[test]
fn a_driver_and_who_gives_it_a_device() {
    assert_eq!(issues(with_devices), []);
    let mut manifest = super::sound();
    with_devices(&mut manifest);
    let driver = &manifest.services[3];
    assert_eq!(Vec::from_iter(providers(&manifest, driver)), [4], "it starts after devmgr");
}

#[test]
fn nobody_to_hand_devices_out() {
    let (text, ..) = issue(|manifest| {
        with_devices(manifest);
        manifest.services.pop();
    });
    assert!(text.contains(r#"there is no service "devmgr", which hands devices out"#), "{text}");
    let (text, ..) = issue(|manifest| {
        with_devices(manifest);
        manifest.services[4].exports[0].name = "devices".to_string();
    });
    assert!(text.contains(r#""devmgr" has no export "claims""#), "{text}");
    let (text, field, _) = issue(|manifest| {
        with_devices(manifest);
        manifest.services[4].args.clear();
    });
    assert!(text.contains("does not know who is to have which device"), "{text}");
    assert_eq!(field, Field::Args);
}

#[test]
fn a_device_is_described() {
    let text = wrong(|wanted| (wanted.vendor, wanted.device, wanted.nth) = (None, None, Some(0)));
    assert!(text.contains("any device would do"), "{text}");
    assert!(wrong(|wanted| wanted.device = Some(0xffff)).contains("0xffff is no id"));
    assert!(wrong(|wanted| wanted.class = Some(0x100_0000)).contains("three bytes"));
    let (text, ..) = issue(|manifest| {
        with_devices(manifest);
        manifest.services[3].caps[0].source = Source::Pci(Vec::new());
    });
    assert!(text.ends_with("an empty list is like no device"), "{text}");
    let (text, ..) = issue(|manifest| {
        with_devices(manifest);
        manifest.services[3].caps[0].interface = "Device".to_string();
    });
    assert!(text.contains("expects Device, but a PCI device speaks DeviceClaim"), "{text}");
}

#[test]
fn what_the_kernel_knows_about() {
    let text = wrong(|wanted| wanted.policy = "virto".to_string());
    assert!(text.ends_with(r#"there is no policy "virto" (did you mean "virtio"?)"#), "{text}");
    let (text, field, _) = issue(|manifest| {
        with_devices(manifest);
        manifest.services[3].budget.dma_pages = 0;
    });
    assert!(text.contains(r#"its device "device" needs pages that it reaches"#), "{text}");
    assert_eq!(field, Field::Budget);
    let plain = |manifest: &mut Manifest| {
        with_devices(manifest);
        wanted(manifest).policy = "plain".to_string();
        manifest.services[3].budget.dma_pages = 0;
    };
    assert_eq!(issues(plain), []);
}

#[test]
fn one_device_for_two() {
    let two = |manifest: &mut Manifest, second: u16| {
        with_devices(manifest);
        wanted(manifest).address = Some(0x28);
        let other = Service { name: "other".to_string(), ..manifest.services[3].clone() };
        manifest.services.push(other);
        match &mut manifest.services[5].caps[0].source {
            Source::Pci(matches) => matches[0].address = Some(second),
            _ => unreachable!(),
        }
    };
    let (text, ..) = issue(|manifest| two(manifest, 0x28));
    assert_eq!(text, r#"service "other": capability "device": the same device as for service "driver""#);
    assert_eq!(issues(|manifest| two(manifest, 0x30)), []);
}

#[test]
fn who_hands_them_out_is_told() {
    let mut manifest = super::sound();
    with_devices(&mut manifest);
    wanted(&mut manifest).address = Some(0x2b);
    match &mut manifest.services[3].caps[0].source {
        Source::Pci(matches) => matches.push(entropy()),
        _ => unreachable!(),
    }
    let told = arguments(manifest.services.iter(), &manifest.services[4]);
    let (first, second) = (
        "--claim=0:driver:virtio,vendor=0x1af4,device=0x1044,address=00:05.3",
        "--claim=0:driver:virtio,vendor=0x1af4,device=0x1044",
    );
    assert_eq!(told, [first, second]);
    let claim = claims(manifest.services.iter()).next().unwrap();
    assert_eq!((claim.service, claim.name, claim.matches.len()), ("driver", "device", 2));
}

#[test]
fn who_asks_for_its_clients_is_told_of_them() {
    let mut manifest = super::sound();
    manifest.services[0].args = Vec::from(["--clients".to_string(), "--loud".to_string()]);
    let told = arguments(manifest.services.iter(), &manifest.services[0]);
    assert_eq!(told, ["--client=1:console", "--loud"]);
}

#[test]
fn addresses() {
    assert_eq!(parse_address("00:05.0"), Some(0x28));
    assert_eq!(parse_address("ff:1f.7"), Some(0xffff));
    for wrong in ["", "0:5.0", "00:20.0", "00:05.8", "00:05", "100:05.0", "00-05.0", "00:05.00", "+0:05.0"] {
        assert_eq!(parse_address(wrong), None, "{wrong}");
    }
}

#[test]
fn a_function_fits_with_all_that_is_said() {
    let function = PciFunction {
        address: 0x28,
        vendor: 0x1af4,
        device: 0x1044,
        class: 0xff_0000,
        subsystem_vendor: 0x1af4,
        subsystem: 0x1100,
    };
    let all = PciMatch {
        class: Some(0xff_0000),
        subsystem_vendor: Some(0x1af4),
        subsystem: Some(0x1100),
        address: Some(0x28),
        ..entropy()
    };
    assert!(entropy().fits(&function) && all.fits(&function));
    let others = [
        PciFunction { address: 0x30, ..function },
        PciFunction { vendor: 1, ..function },
        PciFunction { device: 1, ..function },
        PciFunction { class: 1, ..function },
        PciFunction { subsystem_vendor: 1, ..function },
        PciFunction { subsystem: 1, ..function },
    ];
    assert!(others.iter().all(|other| !all.fits(other)));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_match_as_an_argument_and_back(wanted in a_match()) {
        prop_assert_eq!(PciMatch::parse(&wanted.to_string()), Some(wanted));
    }

    #[test]
    fn any_argument(text in "[a-z]{0,3}(,[a-z]{0,9}=(0x)?[0-9a-f:.]{0,8}){0,4}") {
        if let Some(wanted) = PciMatch::parse(&text) {
            prop_assert_eq!(PciMatch::parse(&wanted.to_string()), Some(wanted));
        }
    }
}
