//! The devices that drivers are to have, as init tells of them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use capos_manifest::PciMatch;

/// One device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// The service that is to have it.
    pub driver: String,
    /// What it is like: any of these, the first one first.
    pub matches: Vec<PciMatch>,
}

/// All of them, by the numbers in the badges of those who may have them.
pub type AllWanted = BTreeMap<u32, Wanted>;

/// Reads the arguments that init puts in for `--claims`: `--claim=NUMBER:DRIVER:MATCH`, one for each match.
pub fn read<'a>(args: impl Iterator<Item = &'a str>) -> AllWanted {
    let mut all = AllWanted::new();
    for (number, driver, found) in args.filter_map(parse) {
        let wanted = all.entry(number).or_default();
        wanted.driver = String::from(driver);
        wanted.matches.push(found);
    }
    all
}

fn parse(arg: &str) -> Option<(u32, &str, PciMatch)> {
    let (number, rest) = arg.strip_prefix("--claim=")?.split_once(':')?;
    let (driver, found) = rest.split_once(':')?;
    Some((number.parse().ok()?, driver, PciMatch::parse(found)?))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_init_tells() {
        let args = [
            "--claim=0:rng:virtio,vendor=0x1af4,device=0x1044",
            "--loud",
            "--claim=1:edu:edu,vendor=0x1234,address=00:05.0",
            "--claim=0:rng:virtio,device=0x1005",
            "--claim=x:rng:virtio",
            "--claim=2:rng:virtio,device=five",
        ];
        let all = read(args.into_iter());
        assert_eq!(all.len(), 2);
        assert_eq!((all[&0].driver.as_str(), all[&0].matches.len()), ("rng", 2));
        assert_eq!(all[&0].matches[1].device, Some(0x1005), "the order stays");
        assert_eq!(all[&1].matches[0].address, Some(0x28));
    }
}
