//! What goes when its last name does: at once when it is little, else in steps, of which each leaves a sound volume.

use alloc::vec::Vec;

use crate::change::Change;
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId};
use crate::look;
use crate::record::{Entry, Kind, Object, Orphan, Stretch};
use crate::volume::Volume;

/// How many stretches go at once.
pub(crate) const STEP: usize = 16;

/// What becomes of an object that loses a name.
pub(crate) struct Doom {
    id: ObjectId,
    object: Object,
    fate: Fate,
}

enum Fate {
    /// It has other names, or is a blob.
    Stays,
    /// It goes with the name.
    Goes(Vec<(u64, Stretch)>),
    /// It goes when nobody holds it, and in steps.
    Later,
}

impl Doom {
    /// What it changes.
    pub(crate) fn change(&self) -> Change {
        let Doom { id, object, fate } = self;
        let links = object.links.saturating_sub(1);
        let mut change = Change::default();
        match fate {
            // Nobody counts the names of a blob.
            Fate::Stays if object.kind == Kind::Blob => {}
            Fate::Stays => change.put(&key::object(*id), &Object { links, ..*object }.encode()),
            Fate::Goes(stretches) => {
                change = remove_stretches(*id, object, stretches);
                change.charge.objects = -1;
                change.remove(&key::object(*id));
            }
            Fate::Later => {
                change.put(&key::object(*id), &Object { links, ..*object }.encode());
                change.put(&key::orphan(*id), &Orphan::Whole.encode());
            }
        }
        change
    }
}

/// Takes stretches away and frees their blocks.
pub(crate) fn remove_stretches(id: ObjectId, object: &Object, stretches: &[(u64, Stretch)]) -> Change {
    let mut change = Change::of(object.domain, 0, 0);
    change.removal = true;
    for (number, stretch) in stretches {
        change.remove(&key::stretch(id, *number));
        change.freed.extend(stretch.stored());
    }
    change.charge.blocks = (change.freed.len() as i64).saturating_neg();
    change
}

impl<V: Volume> Fs<V> {
    /// What becomes of the object of an entry that is to go. Whoever is to act on it is alone with the tree from before this: else somebody
    /// who follows the name meanwhile would hold what is gone.
    pub(crate) async fn doom(&self, entry: Entry) -> Result<Doom, Error> {
        let id = entry.object;
        let object = look::object(&self.view, id).await.map_err(look::missing)?;
        if object.kind.has_names() && object.size > 0 {
            return Err(Error::NotEmpty);
        }
        if object.kind == Kind::Blob || object.links > 1 {
            return Ok(Doom { id, object, fate: Fate::Stays });
        }
        let is_trimmed = self.state.borrow().orphans.contains_key(&id);
        if is_trimmed || (object.kind == Kind::File && self.is_held(id)) {
            return Ok(Doom { id, object, fate: Fate::Later });
        }
        let stretches = self.stretches(id, 0).await?;
        let fate = if stretches.len() < STEP { Fate::Goes(stretches) } else { Fate::Later };
        Ok(Doom { id, object, fate })
    }

    /// The change was made.
    pub(crate) fn doomed(&self, doom: &Doom) {
        if matches!(doom.fate, Fate::Later) {
            self.state.borrow_mut().orphans.insert(doom.id, Orphan::Whole);
        }
    }

    /// The first stretches of an object from `number` on: as many as go at once.
    pub(crate) async fn stretches(&self, id: ObjectId, number: u64) -> Result<Vec<(u64, Stretch)>, Error> {
        let mut stretches = Vec::new();
        let mut from = number;
        while stretches.len() < STEP {
            let Some(found) = look::next_stretch(&self.view, id, from).await? else { break };
            from = found.0.saturating_add(1);
            stretches.push(found);
        }
        Ok(stretches)
    }

    /// Removes what a crash, or whoever ended while holding it, left to be removed.
    ///
    /// # Errors
    /// What the volume says; it may be called again.
    pub async fn tidy(&self) -> Result<(), Error> {
        drop(self.turn().await?);
        let mut last = ObjectId::VOLUME;
        loop {
            let behind = (core::ops::Bound::Excluded(last), core::ops::Bound::Unbounded);
            let next = self.state.borrow().orphans.range(behind).next().map(|(id, _)| *id);
            let Some(id) = next else { return Ok(()) };
            self.try_clean(id).await?;
            last = id;
        }
    }

    /// Removes what is to go of an object, unless somebody holds it. What fails is left for [`Fs::tidy`]: whoever took the name away has done so.
    pub(crate) async fn clean(&self, id: ObjectId) {
        let _ = self.try_clean(id).await;
    }

    /// Others have their turn between the steps.
    async fn try_clean(&self, id: ObjectId) -> Result<(), Error> {
        // Looked at without a turn, as it mostly is nothing.
        while self.state.borrow().orphans.contains_key(&id) {
            let _turn = self.begin().await?;
            if !self.clean_step(id).await? {
                break;
            }
        }
        Ok(())
    }

    /// Ends what an earlier truncation left, before something else is done to the file.
    pub(crate) async fn settle(&self, id: ObjectId) -> Result<(), Error> {
        loop {
            let orphan = self.state.borrow().orphans.get(&id).copied();
            let Some(Orphan::From(_)) = orphan else { return Ok(()) };
            self.clean_step(id).await?;
        }
    }

    /// True when it is to be called again.
    async fn clean_step(&self, id: ObjectId) -> Result<bool, Error> {
        let Some(orphan) = self.state.borrow().orphans.get(&id).copied() else { return Ok(false) };
        if orphan == Orphan::Whole && self.is_held(id) {
            return Ok(false);
        }
        let object = look::object(&self.view, id).await.map_err(look::missing)?;
        let first = match orphan {
            Orphan::Whole => 0,
            Orphan::From(first) => first,
        };
        let stretches = self.stretches(id, first).await?;
        let is_last = stretches.len() < STEP;
        let mut change = remove_stretches(id, &object, &stretches);
        if is_last {
            change.remove(&key::orphan(id));
        }
        if is_last && orphan == Orphan::Whole {
            change.remove(&key::object(id));
            change.remove(&key::hash(id));
            change.charge.objects = -1;
        } else {
            let blocks = object.blocks.saturating_add_signed(change.charge.blocks);
            change.put(&key::object(id), &Object { blocks, ..object }.encode());
        }
        self.apply(change).await?;
        if is_last {
            self.state.borrow_mut().orphans.remove(&id);
        }
        Ok(!is_last)
    }
}
