//! Devices: described well enough, for drivers that can drive them, and with somebody to hand them out.

use super::Issues;
use crate::arguments::CLAIMS;
use crate::device::PciMatch;
use crate::facts::{DEVMGR, PLAIN, POLICIES};
use crate::issue::Field;
use crate::model::{Grant, Manifest, Service, Source};
use crate::suggest::did_you_mean;
use alloc::format;
use alloc::string::String;

/// What stands for any in a manifest's message, and is no id of anything.
const ANY: u16 = u16::MAX;
/// Highest class: three bytes.
const CLASS_MAX: u32 = 0xff_ffff;

pub(super) fn check(manifest: &Manifest, service: &Service, issues: &mut Issues) {
    for grant in &service.caps {
        let Source::Pci(matches) = &grant.source else { continue };
        if matches.is_empty() {
            issues.add(service, Field::Caps, &grant.name, String::from("an empty list is like no device"));
        }
        for wanted in matches {
            if let Some(message) = impossible(wanted) {
                issues.add(service, Field::Caps, &grant.name, message);
            }
            policy(service, grant, wanted, issues);
        }
        if let Some(other) = same_address(manifest, service, grant) {
            let message = format!("the same device as for service {other:?}");
            issues.add(service, Field::Caps, &grant.name, message);
        }
    }
    let has_claims = || manifest.services.iter().flat_map(|it| &it.caps).any(is_device);
    if service.name == DEVMGR && !service.args.iter().any(|arg| arg == CLAIMS) && has_claims() {
        let message = format!("without {CLAIMS:?} it does not know who is to have which device");
        issues.add(service, Field::Args, "", message);
    }
}

fn is_device(grant: &Grant) -> bool {
    matches!(grant.source, Source::Pci(_))
}

fn impossible(wanted: &PciMatch) -> Option<String> {
    let ids = [wanted.vendor, wanted.device, wanted.subsystem_vendor, wanted.subsystem, wanted.address];
    if wanted.is_empty() {
        Some(String::from("any device would do; vendor, device, class, subsystem or address says which"))
    } else if ids.contains(&Some(ANY)) || wanted.nth == Some(ANY) {
        Some(format!("{ANY:#x} is no id of anything"))
    } else {
        let class = wanted.class.filter(|class| *class > CLASS_MAX)?;
        Some(format!("{class:#x} is no class; one has three bytes"))
    }
}

fn policy(service: &Service, grant: &Grant, wanted: &PciMatch, issues: &mut Issues) {
    let PciMatch { policy, .. } = wanted;
    if !POLICIES.contains(&policy.as_str()) {
        let hint = did_you_mean(policy, POLICIES.iter().copied())
            .or_else(|| Some(format!("there are {}", POLICIES.join(", "))));
        let message = format!("there is no policy {policy:?}");
        issues.add_with_hint(service, Field::Caps, &grant.name, message, hint);
    } else if policy != PLAIN && service.budget.dma_pages == 0 {
        let message = format!("its device {:?} needs pages that it reaches", grant.name);
        issues.add(service, Field::Budget, "dmaPages", message);
    }
}

/// The service that is to have the device at the same address, and comes first.
fn same_address<'a>(manifest: &'a Manifest, service: &Service, grant: &Grant) -> Option<&'a str> {
    let all = manifest.services.iter().flat_map(|it| it.caps.iter().map(move |cap| (it, cap)));
    let mut earlier = all.take_while(|(other, cap)| (&other.name, &cap.name) != (&service.name, &grant.name));
    earlier.find(|(_, cap)| shares_address(cap, grant)).map(|(other, _)| other.name.as_str())
}

fn shares_address(a: &Grant, b: &Grant) -> bool {
    let (Source::Pci(a), Source::Pci(b)) = (&a.source, &b.source) else { return false };
    a.iter().any(|a| a.address.is_some() && b.iter().any(|b| a.address == b.address))
}
