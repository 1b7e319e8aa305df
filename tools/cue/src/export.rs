//! The export: found, made, written, compared.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::CueError;
use crate::evaluate::Evaluator;
use crate::hints::with_hints;
use crate::sources::Sources;
use crate::systems::Systems;

/// The checked-in export, relative to the repository.
pub const EXPORT: &str = "tools/cue/system.json";
/// The field that says from which text an export was made.
const STAMP: &str = "source";

/// What became of the checked-in export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is what `system.cue` says.
    UpToDate,
    /// It is not; `cargo cap export` makes it so.
    Stale,
    /// It was made anew.
    Written,
    /// It was made from this text, as far as can be told without an evaluator.
    Unverified,
}

/// The systems of the repository at `root`. Evaluates only what no export was made from yet.
pub fn load(root: &Path) -> Result<Systems, CueError> {
    let sources = Sources::read(root)?;
    let stamp = sources.stamp();
    let kept = root.join("target/cue/system.json");
    for path in [root.join(EXPORT), kept.clone()] {
        if let Some(text) = made_from(&path, &stamp)? {
            return Systems::new(&text, sources);
        }
    }
    let Some(evaluator) = Evaluator::find(root) else {
        return Err(match sources.overlay {
            Some(_) => CueError::OverlayNeedsEvaluator,
            None => CueError::StaleNeedsEvaluator,
        });
    };
    let text = render(&evaluate(&evaluator, root, &sources)?, &stamp)?;
    write(&kept, &text)?;
    Systems::new(&text, sources)
}

/// Makes the checked-in export anew, or with `check` only compares it. The overlay is left out: it is nobody else's.
pub fn export(root: &Path, check: bool) -> Result<Outcome, CueError> {
    let sources = Sources { overlay: None, ..Sources::read(root)? };
    let (path, stamp) = (root.join(EXPORT), sources.stamp());
    let Some(evaluator) = Evaluator::find(root) else {
        return match made_from(&path, &stamp)? {
            Some(_) => Ok(Outcome::Unverified),
            None if check => Ok(Outcome::Stale),
            None => Err(CueError::StaleNeedsEvaluator),
        };
    };
    let text = render(&evaluate(&evaluator, root, &sources)?, &stamp)?;
    if read(&path)?.is_some_and(|old| old == text) {
        return Ok(Outcome::UpToDate);
    }
    if check {
        return Ok(Outcome::Stale);
    }
    // What cannot be read back is not written.
    Systems::new(&text, sources)?;
    write(&path, &text)?;
    Ok(Outcome::Written)
}

/// What the evaluator makes of the texts; its errors get hints.
fn evaluate(evaluator: &Evaluator, root: &Path, sources: &Sources) -> Result<String, CueError> {
    evaluator.export(root, sources.files()).map_err(|error| match error {
        CueError::Evaluation(text) => CueError::Evaluation(with_hints(&text, &sources.source)),
        other => other,
    })
}

/// The export in `path`, if it was made from the text with this stamp.
fn made_from(path: &Path, stamp: &str) -> Result<Option<String>, CueError> {
    let text = read(path)?;
    Ok(text.filter(|text| stamp_of(text).as_deref() == Some(stamp)))
}

fn stamp_of(export: &str) -> Option<String> {
    let value: Value = serde_json::from_str(export).ok()?;
    value.get(STAMP)?.as_str().map(str::to_owned)
}

/// An evaluator's export in the one form that is kept: members sorted, since evaluators differ in their order, and stamped.
fn render(export: &str, stamp: &str) -> Result<String, CueError> {
    let bad = |error: serde_json::Error| CueError::Evaluator(format!("its export is no JSON: {error}"));
    let mut value: Value = serde_json::from_str(export).map_err(bad)?;
    let Value::Object(members) = &mut value else {
        return Err(CueError::Evaluator("its export is no object".into()));
    };
    members.insert(STAMP.into(), stamp.into());
    value.sort_all_objects();
    let text = serde_json::to_string_pretty(&value).map_err(bad)?;
    Ok(text + "\n")
}

fn read(path: &Path) -> Result<Option<String>, CueError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CueError::file(path)(error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), CueError> {
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(&folder).map_err(CueError::file(&folder))?;
    fs::write(path, text).map_err(CueError::file(path))
}

#[cfg(test)]
mod tests {
    use super::{render, stamp_of};

    #[test]
    fn the_order_of_an_evaluator_does_not_matter() {
        let one = render(r#"{"systems": {}, "services": {"b": 1, "a": [2, 1]}}"#, "7").unwrap();
        let other = render(r#"{"services": {"a": [2, 1], "b": 1}, "systems": {}}"#, "7").unwrap();
        assert_eq!(one, other);
        assert!(one.find("\"a\"").unwrap() < one.find("\"b\"").unwrap());
        assert_eq!(stamp_of(&one).as_deref(), Some("7"));
    }

    #[test]
    fn what_is_no_export_is_refused() {
        for text in ["", "[]", "{", "1"] {
            assert!(render(text, "7").is_err(), "{text}");
        }
        assert_eq!(stamp_of("{}"), None);
        assert_eq!(stamp_of("nonsense"), None);
    }
}
