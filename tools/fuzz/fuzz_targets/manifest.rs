//! Manifests as messages. What decodes says the same after it was encoded again; what passes the checks can be started.
#![no_main]

use capos_manifest::{Facts, Manifest, SUPERVISOR, decode, encode, start_order, validate};
use libfuzzer_sys::fuzz_target;

/// What is longer is not read, however sound.
const LONGEST: usize = 256 * 1024;

fuzz_target!(|message: &[u8]| {
    let Ok(manifest) = decode(message) else { return };
    let again = encode(&manifest);
    if again.len() <= LONGEST {
        assert_eq!(decode(&again).as_ref(), Ok(&manifest));
    }
    let files = ["serial", "console", "shell", "diag", "testport"].map(String::from);
    let issues = validate(&manifest, &Facts::new(files.to_vec(), 24_576));
    assert!(issues.iter().all(|issue| !issue.message.is_empty()));
    if issues.is_empty() {
        can_be_started(&manifest);
    }
});

/// Every service comes once, after all those whose exports it holds.
fn can_be_started(manifest: &Manifest) {
    let order = start_order(manifest).expect("no cycle was reported");
    assert_eq!(order.len(), manifest.services.len());
    let place = |n: usize| order.iter().position(|other| *other == n).expect("every service is in the order");
    for (n, service) in manifest.services.iter().enumerate() {
        for grant in &service.caps {
            if let Some((needed, _)) = grant.source.provider()
                && needed != SUPERVISOR
            {
                let needed =
                    manifest.services.iter().position(|other| other.name == needed).expect("it exists");
                assert!(place(needed) < place(n));
            }
        }
    }
}
