//! ELF64 images that are almost right, as a few patches to a good one: cheap to apply and to take back.
//!
//! Offsets are those of the ELF64 file header and of a table of program headers right behind it (gABI, "ELF Header" and "Program
//! Header"), which is where every linker puts it.

use crate::Rng;

/// Size of the file header, where the program headers begin.
const HEADER: u64 = 64;
/// Size of one program header.
const ENTRY: u64 = 56;
/// Most patches of one image.
pub const MAX_PATCHES: usize = 6;

/// Bytes to write over an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Patch {
    /// Where.
    pub offset: u64,
    /// How many bytes of `value`, little endian: 1 to 8.
    pub len: usize,
    /// What.
    pub value: u64,
}

/// A spoilt image: patches, and how much of the file is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patches {
    list: [Patch; MAX_PATCHES],
    count: usize,
    /// Bytes of the file that the loader is told of.
    pub size: u64,
}

impl Patches {
    /// The good image of `size` bytes.
    pub fn none(size: u64) -> Patches {
        Patches { list: [Patch::default(); MAX_PATCHES], count: 0, size }
    }

    /// In the order to apply them.
    pub fn iter(&self) -> impl Iterator<Item = &Patch> {
        self.list.iter().take(self.count)
    }

    fn push(&mut self, offset: u64, len: usize, value: u64) {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = Patch { offset, len, value };
            self.count += 1;
        }
    }
}

/// Offset and width of the fields of the file header.
const HEADER_FIELDS: [(u64, usize); 18] = [
    (0, 4),
    (4, 1),
    (5, 1),
    (6, 1),
    (7, 1),
    (8, 8),
    (16, 2),
    (18, 2),
    (20, 4),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 4),
    (52, 2),
    (54, 2),
    (56, 2),
    (58, 2),
    (60, 4),
];

/// Offset and width of the fields of a program header.
const ENTRY_FIELDS: [(u64, usize); 8] = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];

/// Images that loaders are known to fall for: each a list of (offset, width, value) over the good one.
const CLASSICS: [&[(u64, usize, u64)]; 20] = [
    &[(0, 4, 0)],
    &[(4, 1, 1)],
    &[(5, 1, 2)],
    &[(16, 2, 3)],
    &[(18, 2, 0x28)],
    &[(24, 8, 0)],
    &[(24, 8, u64::MAX)],
    &[(24, 8, 0xffff_8000_0000_0000)],
    &[(32, 8, u64::MAX - 8)],
    &[(32, 8, 1)],
    &[(54, 2, 0)],
    &[(54, 2, 55)],
    &[(56, 2, 0)],
    &[(56, 2, 0xffff)],
    // The first segment: in the kernel, wrapping around, file part longer than memory part, beyond the file, over itself.
    &[(HEADER, 4, 1), (HEADER + 16, 8, 0xffff_ffff_8000_0000)],
    &[(HEADER, 4, 1), (HEADER + 40, 8, u64::MAX)],
    &[(HEADER, 4, 1), (HEADER + 32, 8, 0x2000), (HEADER + 40, 8, 0x1000)],
    &[(HEADER, 4, 1), (HEADER + 8, 8, u64::MAX - 0xfff), (HEADER + 32, 8, 0x1000), (HEADER + 40, 8, 0x1000)],
    &[(HEADER, 4, 1), (HEADER + 4, 4, 7)],
    &[(HEADER, 4, 3)],
];

/// Number of images that are the same for every seed: the classics, and cuts of the file.
pub const FIXED: u32 = CLASSICS.len() as u32 + CUTS.len() as u32;

/// Sizes at which a parser may look beyond the end.
const CUTS: [u64; 10] = [0, 1, 3, 4, 16, 63, 64, 65, HEADER + ENTRY - 1, 4096];

/// Spoilt image number `n`: first the fixed ones, then random ones.
pub fn spoil(n: u32, size: u64, rng: &mut Rng) -> Patches {
    let mut patches = Patches::none(size);
    let classics = CLASSICS.len() as u32;
    if let Some(classic) = CLASSICS.get(n as usize) {
        for (offset, len, value) in *classic {
            patches.push(*offset, *len, *value);
        }
    } else if let Some(cut) = CUTS.get(n.wrapping_sub(classics) as usize) {
        patches.size = *cut;
    } else {
        random(&mut patches, rng);
    }
    patches
}

fn random(patches: &mut Patches, rng: &mut Rng) {
    for _ in 0..=rng.below(3) {
        let (base, field) = match rng.below(3) {
            0 => (0, rng.pick(&HEADER_FIELDS)),
            _ => (HEADER + ENTRY * u64::from(rng.below(6)), rng.pick(&ENTRY_FIELDS)),
        };
        let (offset, len) = field.unwrap_or((0, 1));
        patches.push(base + offset, len, rng.edge());
    }
    match rng.below(16) {
        0 => patches.size = rng.edge(),
        1 => patches.size = rng.draw() % patches.size.max(1),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{FIXED, Patches, spoil};
    use crate::Rng;

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn the_same_seed_spoils_the_same_way() {
        let run = |seed| {
            let mut rng = Rng::new(seed);
            [(); 50].map(|()| spoil(FIXED, 9000, &mut rng))
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn every_image_differs_from_the_good_one() {
        let mut rng = Rng::new(4);
        for n in 0..2000 {
            let patches = spoil(n, 9000, &mut rng);
            assert!(patches != Patches::none(9000), "{n}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn patches_stay_in_the_headers_and_within_words() {
        let mut rng = Rng::new(4);
        for n in 0..5000 {
            for patch in spoil(n, 9000, &mut rng).iter() {
                assert!(patch.offset < 64 + 6 * 56 && (1..=8).contains(&patch.len), "{n}: {patch:?}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn fixed_ones_need_no_randomness() {
        for n in 0..FIXED {
            assert_eq!(spoil(n, 9000, &mut Rng::new(1)), spoil(n, 9000, &mut Rng::new(2)));
        }
    }
}
