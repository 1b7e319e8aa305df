//! The export of `system.cue`, and systems of lab cases over the checked-in one. What composes is a manifest that travels.
#![no_main]

use capos_manifest::export::{Definitions, Json};
use capos_manifest::{Facts, Manifest, decode, encode, validate};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SHIPPED: LazyLock<Definitions> = LazyLock::new(|| {
    Definitions::parse(include_str!("../../cue/system.json")).expect("the checked-in export is sound")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Json::parse(text) {
        Ok(system) => {
            if let Ok(manifest) = SHIPPED.compose("case", &system) {
                travels(&manifest);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match Definitions::parse(text) {
        Ok(definitions) => {
            for name in definitions.systems() {
                definitions.system(name).iter().for_each(travels);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

fn travels(manifest: &Manifest) {
    let issues = validate(manifest, &Facts::new(vec!["serial".into(), "console".into()], 24_576));
    assert!(issues.iter().all(|issue| !issue.message.is_empty()));
    // Longer manifests than init reads are possible in JSON; a sound one is never that long.
    if issues.is_empty() {
        assert_eq!(decode(&encode(manifest)).as_ref(), Ok(manifest));
    }
}
