//! Which function a driver gets.

use alloc::vec::Vec;
use capos_manifest::{PciFunction, PciMatch};
use rt::schema::device_manager::{DeviceState, ListResults};

/// A function that may be claimed, and what the kernel is to know about it.
pub type Candidate<'a> = (u32, &'a str);

/// What there is for a driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Choice<'a> {
    /// Nothing is like that.
    Nothing,
    /// Others have it, or it is not through with what those made it do.
    Taken,
    /// Any of these, the first one first.
    Free(Vec<Candidate<'a>>),
}

/// Whose a function is, as the kernel shows it: the number of the device in the manifest, and which facet for it. 0 is nobody.
pub fn owner(badge: u64) -> u64 {
    (badge & !0xffff_0000_0000).saturating_add(1)
}

/// The number of the device in the manifest that a function was claimed as.
pub fn number(owner: u64) -> Option<u32> {
    owner.checked_sub(1).map(|badge| badge as u32)
}

/// Chooses for a driver that is to have device `wanted` of the manifest. It has one at a time: while its predecessor has one, there is none for it.
pub fn choose<'a>(matches: &'a [PciMatch], wanted: u32, functions: &[ListResults]) -> Choice<'a> {
    let there: Vec<&ListResults> =
        functions.iter().filter(|it| !it.bridge && it.state != DeviceState::Gone).collect();
    let fitting: Vec<(&ListResults, &'a str)> =
        matches.iter().flat_map(|wanted| fitting(wanted, &there)).collect();
    if fitting.is_empty() {
        return Choice::Nothing;
    }
    let free = |it: &ListResults| it.state == DeviceState::Free;
    let candidates: Vec<Candidate<'a>> =
        fitting.into_iter().filter(|(it, _)| free(it)).map(|(it, policy)| (it.address, policy)).collect();
    let has_one = functions.iter().any(|it| number(it.owner) == Some(wanted));
    if has_one || candidates.is_empty() { Choice::Taken } else { Choice::Free(candidates) }
}

/// All functions that one match fits, or, if it says which of them, that one.
fn fitting<'f, 'm>(wanted: &'m PciMatch, there: &[&'f ListResults]) -> Vec<(&'f ListResults, &'m str)> {
    let all = there.iter().filter(|it| wanted.fits(&seen(it))).map(|it| (*it, wanted.policy.as_str()));
    match wanted.nth {
        None => all.collect(),
        Some(nth) => all.skip(usize::from(nth)).take(1).collect(),
    }
}

fn seen(it: &ListResults) -> PciFunction {
    PciFunction {
        address: it.address as u16,
        vendor: it.vendor,
        device: it.device,
        class: it.class,
        subsystem_vendor: it.subsystem_vendor,
        subsystem: it.subsystem,
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, choose, number, owner};
    use capos_manifest::PciMatch;
    use rt::schema::device_manager::{DeviceState, ListResults};

    fn function(address: u32, device: u16) -> ListResults {
        ListResults { address, vendor: 0x1af4, device, ..ListResults::default() }
    }

    fn wanted(device: u16) -> PciMatch {
        PciMatch { policy: "virtio".into(), device: Some(device), ..PciMatch::default() }
    }

    #[test]
    fn the_first_match_first_and_then_by_address() {
        let functions = [function(8, 1), function(16, 2), function(24, 2)];
        let matches = [wanted(2), PciMatch { policy: "plain".into(), ..wanted(1) }];
        let expected = [(16, "virtio"), (24, "virtio"), (8, "plain")];
        assert_eq!(choose(&matches, 0, &functions), Choice::Free(expected.into()));
        assert_eq!(choose(&[wanted(3)], 0, &functions), Choice::Nothing);
    }

    #[test]
    fn one_of_several() {
        let functions = [function(8, 2), function(16, 2), function(24, 2)];
        let nth = |nth| [PciMatch { nth: Some(nth), ..wanted(2) }];
        assert_eq!(choose(&nth(1), 0, &functions), Choice::Free([(16, "virtio")].into()));
        assert_eq!(choose(&nth(3), 0, &functions), Choice::Nothing);
        let mut taken = functions;
        taken[1].state = DeviceState::Running;
        taken[1].owner = owner(9);
        assert_eq!(choose(&nth(1), 0, &taken), Choice::Taken, "not another one instead");
    }

    #[test]
    fn what_others_have_is_not_to_be_had() {
        for state in [DeviceState::Claimed, DeviceState::Running, DeviceState::Draining] {
            let taken = [ListResults { state, ..function(8, 2) }];
            assert_eq!(choose(&[wanted(2)], 0, &taken), Choice::Taken);
        }
        let gone = [ListResults { state: DeviceState::Gone, ..function(8, 2) }];
        assert_eq!(choose(&[wanted(2)], 0, &gone), Choice::Nothing);
        let bridge = [ListResults { bridge: true, ..function(8, 2) }];
        assert_eq!(choose(&[wanted(2)], 0, &bridge), Choice::Nothing);
    }

    #[test]
    fn one_device_at_a_time() {
        let has = ListResults { state: DeviceState::Running, owner: owner(7 << 48 | 3), ..function(8, 2) };
        let functions = [has, function(16, 2)];
        assert_eq!(choose(&[wanted(2)], 3, &functions), Choice::Taken);
        assert_eq!(choose(&[wanted(2)], 4, &functions), Choice::Free([(16, "virtio")].into()));
    }

    #[test]
    fn owners() {
        assert_eq!(number(0), None);
        assert_eq!(number(owner(0)), Some(0));
        assert_eq!(number(owner(0xabcd_0002_0000_0005)), Some(5));
        assert_eq!(owner(1 << 48 | 1 << 32 | 5), owner(1 << 48 | 5), "whichever export it is called through");
        assert_ne!(owner(1 << 48 | 5), owner(2 << 48 | 5));
    }
}
