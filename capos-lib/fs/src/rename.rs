//! Renames, perhaps over what is there.

use crate::clean::Doom;
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId};
use crate::look;
use crate::name::Name;
use crate::names::Place;
use crate::record::{Entry, Kind, Object};
use crate::time::Stamp;
use crate::volume::Volume;

/// A directory and a name in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path<'a> {
    /// The directory or namespace.
    pub directory: ObjectId,
    /// The name.
    pub name: &'a [u8],
}

impl<V: Volume> Fs<V> {
    /// Moves a name. With `replace` it takes the place of what is there, if that is of the same kind and no directory with entries.
    ///
    /// # Errors
    /// `Exists`, `Kind` and `NotEmpty` for what is there, `Cycle` for a directory below itself, `Domain` between domains.
    pub async fn rename(&self, from: Path<'_>, to: Path<'_>, replace: bool, now: Stamp) -> Result<(), Error> {
        let (name, new_name) = (Name::new(from.name)?, Name::new(to.name)?);
        let turn = self.begin().await?;
        let source = self.place(from.directory, name).await?;
        let entry = source.there()?;
        if from == to {
            return Ok(());
        }
        let target = self.place(to.directory, new_name).await?;
        self.may_move(&source, &target, entry, replace).await?;
        let alone = self.tree.change().await;
        let doom = self.doom_old(target.entry).await?;
        self.apply_alone(alone, self.moved(&source, &target, entry, doom.as_ref(), now).await?).await?;
        doom.iter().for_each(|doom| self.doomed(doom));
        drop(turn);
        if let Some(old) = target.entry {
            self.clean(old.object).await;
        }
        Ok(())
    }

    async fn may_move(
        &self,
        source: &Place<'_>,
        target: &Place<'_>,
        entry: Entry,
        replace: bool,
    ) -> Result<(), Error> {
        if let Some(old) = target.entry {
            if !replace {
                return Err(Error::Exists);
            }
            look::expect(old, entry.kind)?;
        }
        if !target.directory.kind.may_name(entry.kind) {
            return Err(Error::Kind);
        }
        if target.directory.domain != source.directory.domain {
            return Err(Error::Domain);
        }
        let is_moved = entry.kind.has_names() && source.id != target.id;
        if is_moved && look::is_below(&self.view, target.id, entry.object).await? {
            return Err(Error::Cycle);
        }
        Ok(())
    }

    async fn moved(
        &self,
        source: &Place<'_>,
        target: &Place<'_>,
        entry: Entry,
        doom: Option<&Doom>,
        now: Stamp,
    ) -> Result<crate::change::Change, Error> {
        let mut change = doom.map(Doom::change).unwrap_or_default();
        change.remove(source.key().bytes());
        let more = i64::from(target.entry.is_none());
        if source.id == target.id {
            source.touch(&mut change, more.saturating_sub(1), now);
        } else {
            source.touch(&mut change, -1, now);
            target.touch(&mut change, more, now);
        }
        // Two names of one file become one: its links are counted by `doom`.
        change.put(target.key().bytes(), &entry.encode());
        if entry.kind.has_names() && source.id != target.id {
            let object = look::object(&self.view, entry.object).await.map_err(look::missing)?;
            change.put(&key::object(entry.object), &Object { parent: target.id, ..object }.encode());
        }
        if entry.kind == Kind::Blob {
            self.mark(&mut change, entry.object).await?;
        }
        Ok(change)
    }
}
