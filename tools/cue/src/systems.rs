//! The systems of a repository: manifests, and the lines at fault.

use capos_manifest::export::{Definitions, ExportError, Json};
use capos_manifest::suggest::did_you_mean;
use capos_manifest::{Facts, Field, Issue, Manifest, validate};

use crate::error::CueError;
use crate::locate::{Labels, Place};
use crate::sources::{OVERLAY, SOURCE, Sources};

/// Definitions, and where in the texts they are.
#[derive(Clone, Debug)]
pub struct Systems {
    definitions: Definitions,
    texts: Vec<(&'static str, Labels)>,
}

impl Systems {
    /// From an export and the texts that it was made from.
    pub fn new(export: &str, sources: Sources) -> Result<Systems, CueError> {
        let overlay = sources.overlay.map(|text| (OVERLAY, Labels::of(&text)));
        let source = (SOURCE, Labels::of(&sources.source));
        let texts: Vec<_> = overlay.into_iter().chain([source]).collect();
        let definitions =
            Definitions::parse(export).map_err(|error| CueError::Refused(vec![at(&texts, &error)]))?;
        Ok(Systems { definitions, texts })
    }

    /// What was read.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The manifest of a system that the texts define, checked.
    pub fn system(&self, name: &str, facts: &Facts) -> Result<Manifest, CueError> {
        let manifest = self.definitions.system(name).map_err(|error| self.refuse(&error))?;
        self.check(&manifest, facts)?;
        Ok(manifest)
    }

    /// Checks every system, and every service that no system uses beside those it needs. All that is wrong is refused at once.
    pub fn check_all(&self, facts: &Facts) -> Result<(), CueError> {
        all::check(self, facts)
    }

    /// The manifest of a system of the caller's own, in the form of `system.cue`; not checked.
    pub fn compose(&self, name: &str, system: &Json) -> Result<Manifest, CueError> {
        self.definitions.compose(name, system).map_err(|error| self.refuse(&error))
    }

    /// Checks a manifest. A refusal has one line for each mistake, with file and line where those are known.
    pub fn check(&self, manifest: &Manifest, facts: &Facts) -> Result<(), CueError> {
        let issues = validate(manifest, facts);
        if issues.is_empty() {
            return Ok(());
        }
        Err(CueError::Refused(issues.iter().map(|issue| self.explain(&manifest.name, issue)).collect()))
    }

    /// An issue with its file and line: where the system `name` changes the service, or else where the service is defined.
    pub fn explain(&self, name: &str, issue: &Issue) -> String {
        let issue = &self.reconsidered(issue);
        let labels = issue.place.labels();
        let path = |above: &[&'_ str]| -> Vec<String> {
            above.iter().chain(&labels).map(|label| (*label).to_owned()).collect()
        };
        let paths = [path(&["systems", name, "services"]), path(&["services"])];
        let places = paths.iter().map(|path| (path.len() - labels.len(), path)).flat_map(|(above, path)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let found = self.texts.iter().filter_map(move |(file, text)| Some((*file, text.find(&path)?)));
            found.filter_map(move |(file, place)| Some((place.depth.checked_sub(above + 1)?, file, place)))
        });
        // The deepest; of equal ones the first.
        let mut best: Option<(usize, &str, Place)> = None;
        for candidate in places {
            if best.is_none_or(|best| candidate.0 > best.0) {
                best = Some(candidate);
            }
        }
        match best {
            Some((_, file, place)) => format!("{file}:{}: {issue}", place.line),
            None => issue.to_string(),
        }
    }

    /// A service that only the overlay or a system has may be a new one, or a mistyped one of the shipped text.
    fn reconsidered(&self, issue: &Issue) -> Issue {
        let mut issue = issue.clone();
        let service = &issue.place.service;
        if issue.place.field == Field::Binary && !self.ships(service) {
            let known = self.definitions.services().filter(|name| self.ships(name));
            let hint = did_you_mean(service, known);
            issue.message.push_str(&format!(", and {SOURCE} has no service {service:?} to change"));
            issue.hint = hint.or(issue.hint);
        }
        issue
    }

    /// Whether the shipped text defines a service.
    fn ships(&self, service: &str) -> bool {
        let shipped = self.texts.iter().filter(|(file, _)| *file == SOURCE);
        shipped.filter_map(|(_, text)| text.find(&["services", service])).any(|place| place.depth == 2)
    }

    fn refuse(&self, error: &ExportError) -> CueError {
        CueError::Refused(vec![at(&self.texts, error)])
    }
}

/// An error of the export with its file and line.
fn at(texts: &[(&'static str, Labels)], error: &ExportError) -> String {
    let path: Vec<&str> = error.path.iter().map(String::as_str).collect();
    let places = texts.iter().filter_map(|(file, labels)| Some((file, labels.find(&path)?)));
    // Of equally deep places the last, which is the shipped text's: what both have, the overlay only adds to.
    match places.max_by_key(|(_, place)| place.depth) {
        Some((file, place)) => format!("{file}:{}: {error}", place.line),
        None => error.to_string(),
    }
}

mod all;

#[cfg(test)]
mod tests;
