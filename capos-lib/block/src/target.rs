//! Which disk, or which part of one, somebody means. It has to be exactly one: what fits nothing, or two things, is refused.

use crate::content::Content;
use capos_gpt::{Guid, Partition};
use core::fmt;

/// What is told about one disk and one of its partitions. What is not said fits anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Target<'a> {
    address: Option<u32>,
    namespace: Option<u32>,
    serial: Option<&'a str>,
    partition: Option<&'a str>,
    guid: Option<Guid>,
    number: Option<u32>,
    /// It has a volume of capOS.
    volume: bool,
    /// It is to be read only.
    pub read_only: bool,
}

/// A disk that there is.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its PCI function.
    pub address: u32,
    /// Its number on the device, from 1.
    pub namespace: u32,
    /// What it says that it is.
    pub serial: &'a str,
    /// What is on all of it; unknown of one that is divided.
    pub content: Content,
    /// What it is divided into, as far as that is known and sound.
    pub parts: &'a [Part],
}

/// A partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// As the table has it.
    pub partition: Partition,
    /// What is on it.
    pub content: Content,
}

/// What fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which of the candidates.
    pub disk: usize,
    /// The first sector of the partition, and how many it has; all of the disk when no partition was named.
    pub part: Option<(u64, u64)>,
}

/// Why there is no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// Nothing fits.
    Nothing,
    /// More than one thing fits.
    Several,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missed::Nothing => "no disk is like that",
            Missed::Several => "more than one disk or partition is like that",
        })
    }
}

impl<'a> Target<'a> {
    /// Of words with commas between: `address=00:05.0`, `namespace=1`, `serial=...`, `partition=` a partition's name, `guid=` its own one, `number=` its number in the table,
    /// `volume` for a disk or partition that has one of capOS, and `readonly`. `None` for other words, and when they say nothing of which disk it is.
    pub fn parse(text: &'a str) -> Option<Target<'a>> {
        let mut target = Target::default();
        for word in text.split(',') {
            match word.split_once('=') {
                Some(("address", it)) => target.address = Some(address(it)?),
                Some(("namespace", it)) => target.namespace = Some(it.parse().ok()?),
                Some(("serial", it)) => target.serial = Some(it),
                Some(("partition", it)) => target.partition = Some(it),
                Some(("guid", it)) => target.guid = Some(it.parse().ok()?),
                Some(("number", it)) => target.number = Some(it.parse().ok()?),
                None if word == "volume" => target.volume = true,
                None if word == "readonly" => target.read_only = true,
                _ => return None,
            }
        }
        let says_nothing = Target { read_only: target.read_only, ..Target::default() };
        (target != says_nothing).then_some(target)
    }

    /// The one thing that fits.
    ///
    /// # Errors
    /// See [`Missed`].
    pub fn find<'b>(&self, disks: impl Iterator<Item = Candidate<'b>>) -> Result<Found, Missed> {
        let mut fitting = disks.enumerate().filter(|(_, disk)| self.fits(disk)).flat_map(|(number, disk)| {
            let parts = disk.parts.iter().filter(|it| self.may_be_part() && self.fits_part(it));
            let parts = parts.map(|it| Some((it.partition.first, it.partition.sectors())));
            let whole = (!self.names_part() && self.fits_content(disk.content)).then_some(None);
            parts.chain(whole).map(move |part| Found { disk: number, part })
        });
        match (fitting.next(), fitting.next()) {
            (Some(found), None) => Ok(found),
            (Some(_), Some(_)) => Err(Missed::Several),
            (None, _) => Err(Missed::Nothing),
        }
    }

    fn fits(&self, disk: &Candidate<'_>) -> bool {
        self.address.is_none_or(|it| it == disk.address)
            && self.namespace.is_none_or(|it| it == disk.namespace)
            && self.serial.is_none_or(|it| it == disk.serial)
    }

    const fn names_part(&self) -> bool {
        self.partition.is_some() || self.guid.is_some() || self.number.is_some()
    }

    /// Whether it is found by what is on it, so that it may be anywhere: it takes all disks to say that it is the only one.
    pub const fn is_by_content(&self) -> bool {
        self.volume
    }

    const fn may_be_part(&self) -> bool {
        self.names_part() || self.volume
    }

    fn fits_part(&self, part: &Part) -> bool {
        self.partition.is_none_or(|it| part.partition.name.is(it))
            && self.guid.is_none_or(|it| it == part.partition.id && it != Guid::ZERO)
            && self.number.is_none_or(|it| it == part.partition.number)
            && self.fits_content(part.content)
    }

    fn fits_content(&self, content: Content) -> bool {
        !self.volume || content == Content::Volume
    }
}

/// `00:05.0`: bus, device and function in hexadecimal, as a number.
fn address(text: &str) -> Option<u32> {
    let (bus, rest) = text.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let part = |text: &str, most| u32::from_str_radix(text, 16).ok().filter(|number| *number <= most);
    Some(part(bus, 0xff)? << 8 | part(device, 0x1f)? << 3 | part(function, 7)?)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Found, Missed, Part, Target};
    use crate::content::Content;
    use capos_gpt::{Guid, Partition, Reader};
    use std::vec::Vec;

    /// Partitions 1 of 2,048 sectors from 2,048 on, `capOS data`, and 3 from 8,192 to 16,350: see there.
    fn partitions() -> Vec<Part> {
        const SECTORS: &[u8] = include_bytes!("../../gpt/fixtures/sgdisk-512.sectors");
        let mut reader = Reader::new(16384, 512).unwrap();
        while let Some(wanted) = reader.wants() {
            let mut bytes = std::vec![0; wanted.sectors as usize * 512];
            for piece in SECTORS.chunks_exact(520) {
                let number = u64::from_le_bytes(*piece.first_chunk().unwrap());
                if let Some(at) = number.checked_sub(wanted.first).filter(|at| *at < wanted.sectors.into()) {
                    bytes[at as usize * 512..][..512].copy_from_slice(&piece[8..]);
                }
            }
            reader.give(Some(&bytes));
        }
        let all = reader.finish().unwrap().partitions.into_iter();
        all.map(|partition| Part { partition, content: Content::Fat }).collect()
    }

    #[test]
    fn exactly_one_thing_fits() {
        let parts = partitions();
        let content = Content::Unknown;
        let disk = |address, namespace, serial| Candidate { address, namespace, serial, content, parts: &[] };
        let disks = [
            disk(0x28, 1, "one"),
            Candidate { parts: &parts, ..disk(0x28, 2, "two") },
            Candidate { parts: &parts, ..disk(0x30, 1, "two") },
        ];
        let find = |text| Target::parse(text).unwrap().find(disks.into_iter());
        let whole = |disk| Ok(Found { disk, part: None });
        let part = |disk, first, sectors| Ok(Found { disk, part: Some((first, sectors)) });
        assert_eq!(find("serial=one"), whole(0));
        assert_eq!(find("serial=two"), Err(Missed::Several));
        assert_eq!(find("serial=tw"), Err(Missed::Nothing));
        assert_eq!(find("serial="), Err(Missed::Nothing));
        assert_eq!(find("address=00:05.0"), Err(Missed::Several));
        assert_eq!(find("address=00:05.0,namespace=2"), whole(1));
        assert_eq!(find("address=00:06.0"), whole(2));
        assert_eq!(find("address=00:06.1"), Err(Missed::Nothing));
        assert_eq!(find("partition=capOS data"), Err(Missed::Several));
        assert_eq!(find("partition=capOS data,namespace=2"), part(1, 2048, 2048));
        assert_eq!(find("guid=5AFE0001-0000-4000-8000-000000000003,address=00:06.0"), part(2, 8192, 8159));
        assert_eq!(find("number=3,address=00:06.0"), part(2, 8192, 8159));
        assert_eq!(find("number=3"), Err(Missed::Several));
        assert_eq!(find("number=2"), Err(Missed::Nothing));
        assert_eq!(find("serial=one,partition=capOS data"), Err(Missed::Nothing));
        assert_eq!(find("address=00:06.0,partition="), Err(Missed::Nothing));
        let no = find("partition=capOS data,guid=5afe0001-0000-4000-8000-000000000003,address=00:06.0");
        assert_eq!(no, Err(Missed::Nothing));
        assert_eq!(Target::parse("namespace=2").unwrap().find([].into_iter()), Err(Missed::Nothing));
    }

    #[test]
    fn partitions_without_names_have_numbers_only() {
        let unnamed = |part: &Part| {
            let partition = Partition { id: Guid::ZERO, ..part.partition };
            Part { partition, ..*part }
        };
        let parts: Vec<_> = partitions().iter().map(unnamed).collect();
        let disk =
            Candidate { address: 0, namespace: 1, serial: "", content: Content::Unknown, parts: &parts };
        let find = |text| Target::parse(text).unwrap().find([disk].into_iter());
        assert_eq!(find("guid=00000000-0000-0000-0000-000000000000,number=1"), Err(Missed::Nothing));
        assert_eq!(find("number=1"), Ok(Found { disk: 0, part: Some((2048, 2048)) }));
    }

    #[test]
    fn a_volume_is_found_wherever_it_is_and_nowhere_else() {
        let mut parts = partitions();
        let disk =
            |namespace, content| Candidate { address: 0x28, namespace, serial: "", content, parts: &[] };
        let find = |text, disks: &[Candidate<'_>]| Target::parse(text).unwrap().find(disks.iter().copied());
        let none = [disk(1, Content::Fat), Candidate { parts: &parts, ..disk(2, Content::Unknown) }];
        assert_eq!(find("volume", &none), Err(Missed::Nothing));
        let whole = [none[1], disk(2, Content::Volume)];
        assert_eq!(find("volume", &whole), Ok(Found { disk: 1, part: None }));
        parts[1].content = Content::Volume;
        let part = [disk(1, Content::Iso9660), Candidate { parts: &parts, ..disk(2, Content::Unknown) }];
        let found = Ok(Found { disk: 1, part: Some((8192, 8159)) });
        assert_eq!(find("volume", &part), found);
        assert_eq!(find("volume,namespace=1", &part), Err(Missed::Nothing));
        assert_eq!(find("volume,partition=capOS data", &part), Err(Missed::Nothing));
        assert_eq!(find("guid=5AFE0001-0000-4000-8000-000000000003,volume", &part), found);
        assert_eq!(find("volume", &[part[1], disk(2, Content::Volume)]), Err(Missed::Several));
        assert!(Target::parse("volume").is_some_and(|target| target.is_by_content()));
        assert!(Target::parse("serial=volume").is_some_and(|target| !target.is_by_content()));
    }

    #[test]
    fn words_that_say_nothing() {
        for text in [
            "",
            "readonly",
            "serial",
            "name=x",
            "address=5",
            "address=00:20.0",
            "address=00:05.8",
            "namespace=-1",
            "number=one",
            "guid=12",
            "serial=a,",
            "serial=a,b",
        ] {
            assert_eq!(Target::parse(text), None, "{text}");
        }
        assert!(Target::parse("readonly,serial=a").is_some_and(|target| target.read_only));
        assert!(Target::parse("serial=a").is_some_and(|target| !target.read_only));
    }
}
