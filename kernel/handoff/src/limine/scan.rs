//! Finding the base revision tag and the requests in the loaded image: at multiples of eight bytes, between the delimiters if the
//! kernel has any.

use super::{BASE_REVISION, COMMON_MAGIC, FEATURES, Feature};
use crate::Refusal;
use crate::bytes::{put_u64, u64_at};

const START: [u64; 4] =
    [0xf6b8_f4b3_9de7_d1ae, 0xfab9_1a69_40fc_b9cf, 0x785c_6ed0_15d3_e316, 0x181e_920a_7852_b9d9];
const END: [u64; 2] = [0xadc0_e053_1bb1_0d03, 0x9572_709f_3176_4c62];
const REVISION: [u64; 2] = [0xf956_2b2d_5c95_a6c8, 0x6a7b_3849_4453_6bdc];

/// Where the response pointer lies in a request, and where its own members start.
const RESPONSE: usize = 40;
const MEMBERS: usize = 48;

/// The requests of an image, by their offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    at: [Option<usize>; FEATURES.len()],
}

impl Requests {
    /// Finds the requests, and marks the base revision tag as understood if it asks for the revision spoken here. A later revision
    /// stays unmarked, so that the kernel can say itself that it cannot live with this loader.
    pub fn find(image: &mut [u8]) -> Result<Self, Refusal> {
        let (from, to) = delimiters(image);
        let mut requests = Requests { at: [None; FEATURES.len()] };
        let mut revision_at = None;
        for at in (from..to).step_by(8) {
            match u64_at(image, at) {
                Some(word) if word == COMMON_MAGIC[0] => requests.note(image, at)?,
                Some(word) if word == REVISION[0] && is(image, at, &REVISION) => revision_at = Some(at + 16),
                _ => {}
            }
        }
        let revision_at = revision_at.ok_or(Refusal::NoBaseRevision)?;
        match u64_at(image, revision_at) {
            Some(BASE_REVISION) => {
                put_u64(image, revision_at, 0);
            }
            Some(old) if old < BASE_REVISION => return Err(Refusal::OldBaseRevision(old)),
            _ => {}
        }
        Ok(requests)
    }

    /// Whether the kernel asks for this.
    pub fn has(&self, feature: Feature) -> bool {
        self.offset(feature).is_some()
    }

    /// Revision of a request.
    pub fn revision(&self, image: &[u8], feature: Feature) -> Option<u64> {
        u64_at(image, self.offset(feature)? + RESPONSE - 8)
    }

    /// The request's own member with this index.
    pub fn member(&self, image: &[u8], feature: Feature, index: usize) -> Option<u64> {
        u64_at(image, self.offset(feature)? + MEMBERS + 8 * index)
    }

    /// Writes the address of a response.
    pub fn respond(&self, image: &mut [u8], feature: Feature, address: u64) {
        if let Some(at) = self.offset(feature) {
            put_u64(image, at + RESPONSE, address);
        }
    }

    fn offset(&self, feature: Feature) -> Option<usize> {
        self.at.get(feature as usize).copied().flatten()
    }

    fn note(&mut self, image: &[u8], at: usize) -> Result<(), Refusal> {
        let known = FEATURES.iter().find(|known| {
            let [first, second] = known.id;
            is(image, at, &[COMMON_MAGIC[0], COMMON_MAGIC[1], first, second])
        });
        // The whole request must be there, up to its response pointer.
        let (Some(known), Some(_)) = (known, u64_at(image, at + RESPONSE)) else { return Ok(()) };
        match self.at.get_mut(known.feature as usize) {
            Some(place @ None) => *place = Some(at),
            _ => return Err(Refusal::DuplicateRequest(known.name)),
        }
        Ok(())
    }
}

/// "Between the last start marker found and the first end marker found" (PROTOCOL.md, "Requests Delimiters").
fn delimiters(image: &[u8]) -> (usize, usize) {
    let (mut from, mut to) = (0, None);
    for at in (0..image.len()).step_by(8) {
        match u64_at(image, at) {
            Some(word) if word == START[0] && is(image, at, &START) => from = at + 8 * START.len(),
            Some(word) if word == END[0] && to.is_none() && is(image, at, &END) => to = Some(at),
            _ => {}
        }
    }
    (from, to.unwrap_or(image.len()))
}

fn is(image: &[u8], at: usize, words: &[u64]) -> bool {
    words.iter().enumerate().all(|(index, &word)| u64_at(image, at + 8 * index) == Some(word))
}
