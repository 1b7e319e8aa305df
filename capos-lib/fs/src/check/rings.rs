//! Directories whose way up does not end at the root.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::books::Seen;
use super::finding::Fault;
use crate::error::Error;
use crate::key::ObjectId;
use crate::look;
use crate::volume::View;

/// Steps up for each object that is kept in mind, on an average: a disk may have ways that are longer than anybody makes them, so that each of many is a long one.
const STEPS: usize = 256;

/// Looks for them.
pub struct Rings<'a, V> {
    view: &'a V,
    /// Those that are kept in mind. The disk is asked for others.
    objects: &'a BTreeMap<ObjectId, Seen>,
    /// Of some it is known whether they reach the root.
    known: BTreeMap<ObjectId, bool>,
    most: usize,
    /// Steps that are left.
    left: usize,
}

impl<'a, V: View> Rings<'a, V> {
    /// With so many of them known at a time.
    pub fn new(view: &'a V, objects: &'a BTreeMap<ObjectId, Seen>, most: usize) -> Self {
        Rings { view, objects, known: BTreeMap::new(), most, left: most.saturating_mul(STEPS) }
    }

    /// What is wrong with the way up from a directory.
    pub async fn look(&mut self, id: ObjectId) -> Result<Option<Fault>, Error> {
        let mut way = Vec::new();
        let mut at = id;
        // Every so often it is noted where we are, and nobody comes there again but in a ring (Brent).
        let (mut noted, mut steps, mut limit) = (None, 0u64, 1u64);
        let reaches = loop {
            if at == ObjectId::VOLUME {
                break true;
            }
            if let Some(known) = self.known.get(&at) {
                break *known;
            }
            if noted == Some(at) {
                break false;
            }
            let Some(left) = self.left.checked_sub(1) else { return Ok(Some(Fault::Far)) };
            self.left = left;
            steps = steps.saturating_add(1);
            if steps == limit {
                (noted, steps, limit) = (Some(at), 0, limit.saturating_mul(2));
            }
            if way.len() < self.most {
                way.push(at);
            }
            match self.parent(at).await? {
                Some(parent) => at = parent,
                None => break false,
            }
        };
        if self.known.len().saturating_add(way.len()) > self.most {
            self.known.clear();
        }
        self.known.extend(way.into_iter().map(|at| (at, reaches)));
        Ok((!reaches).then_some(Fault::Ring))
    }

    async fn parent(&self, id: ObjectId) -> Result<Option<ObjectId>, Error> {
        if let Some(seen) = self.objects.get(&id) {
            return Ok(seen.said.map(|said| said.parent));
        }
        match look::object(self.view, id).await {
            Ok(object) => Ok(Some(object.parent)),
            Err(Error::NotFound | Error::Corrupt) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
