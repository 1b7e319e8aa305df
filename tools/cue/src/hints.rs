//! What a CUE evaluator's errors leave out: the words that would have been right.

use capos_manifest::POLICIES;
use capos_manifest::export::choices;
use capos_manifest::suggest::did_you_mean;

use crate::locate::Labels;

/// The errors, and behind them one hint for each that has one. `source` is the text with the definitions.
pub fn with_hints(errors: &str, source: &str) -> String {
    let errors = errors.trim_end();
    let labels = Labels::of(source);
    let mut out = errors.to_owned();
    let mut told: Vec<String> = Vec::new();
    let first: Vec<String> = errors.lines().filter_map(|line| hint(line, &labels)).collect();
    // A wrong word among several right ones also conflicts with each of them.
    let second = errors.lines().filter_map(|line| said_twice(line, &labels)).filter(|_| first.is_empty());
    for hint in first.iter().cloned().chain(second) {
        if !told.contains(&hint) {
            out.push_str("\nhint: ");
            out.push_str(&hint);
            told.push(hint);
        }
    }
    out
}

fn hint(line: &str, labels: &Labels) -> Option<String> {
    match unknown_field(line) {
        Some(field) => {
            let known = labels.of_definitions();
            let meant = did_you_mean(field, known.iter().copied())
                .unwrap_or_else(|| format!("known are {}", known.join(", ")));
            Some(format!("there is no field `{field}`; {meant}"))
        }
        None => wrong_choice(line).or_else(|| no_list(line)).or_else(|| left_out(line)),
    }
}

/// `a.pci: conflicting values [...#Device] and {...} (mismatched types list and struct):`
fn no_list(line: &str) -> Option<String> {
    let (path, text) = line.split_once(": ")?;
    let field = path.rsplit('.').next().filter(|_| text.contains("mismatched types list and struct"))?;
    Some(format!("`{path}` is a list, also of one: {field}: [{{...}}]"))
}

/// `a.policy: incomplete value string`
fn left_out(line: &str) -> Option<String> {
    let (path, text) = line.split_once(": ")?;
    let (place, field) = path.rsplit_once('.').filter(|_| text.starts_with("incomplete value"))?;
    let known = if field == "policy" { format!(", one of {}", POLICIES.join(", ")) } else { String::new() };
    Some(format!("`{place}` does not say its {field}{known}"))
}

/// `a.b: conflicting values 1 and 2:`, `a.b: incompatible list lengths (3 and 4)`: an overlay adds, and changes nothing.
fn said_twice(line: &str, labels: &Labels) -> Option<String> {
    let (path, text) = line.split_once(": ")?;
    let text = text.trim_end_matches(':');
    let values = text.strip_prefix("conflicting values ").and_then(|values| values.split_once(" and "));
    // A type in place of a value is a mistake of another kind, and says so itself, and so is a value of another type.
    if text.contains("mismatched types") {
        return None;
    }
    let is_type = |value: &str| value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let twice = match values {
        Some((one, other)) => {
            [one, other].iter().all(|value| !is_type(value) || value.parse::<u64>().is_ok())
        }
        None => text.starts_with("incompatible list lengths"),
    };
    let at = labels.find(&path.split('.').collect::<Vec<_>>())?.line;
    twice.then(|| {
        format!(
            "system.cue:{at} says `{path}` already; name a system of your own and say it there: systems: NAME: {{use: [...], \
             services: ...}}"
        )
    })
}

/// `a.b: field x not allowed:` of older evaluators, `a.b.x: field not allowed:` of newer ones.
fn unknown_field(line: &str) -> Option<&str> {
    let (path, text) = line.split_once(": ")?;
    if text.trim_end_matches(':') == "field not allowed" {
        return path.rsplit('.').next();
    }
    text.trim_end_matches(':').strip_prefix("field ")?.strip_suffix(" not allowed")
}

/// `a.restart: 3 errors in empty disjunction:`
fn wrong_choice(line: &str) -> Option<String> {
    let (path, text) = line.split_once(": ")?;
    let field = path.rsplit('.').next()?;
    let words = choices(field).filter(|_| text.contains("empty disjunction"))?;
    Some(format!("`{path}` can be said once, as one of {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::with_hints;

    const SOURCE: &str =
        "#Service: {\n\tbinary?: string\n\tbudget?: #Budget\n}\nservices: [string]: #Service\n";

    #[track_caller]
    fn hinted(errors: &str, hint: &str) {
        assert_eq!(with_hints(errors, SOURCE), format!("{}\nhint: {hint}", errors.trim_end()));
    }

    #[test]
    fn a_mistyped_field_gets_the_nearest() {
        let hint = "there is no field `budgett`; did you mean \"budget\"?";
        hinted("services.serial: field budgett not allowed:\n    ./system.cue:19:2\n", hint);
        hinted("services.serial.budgett: field not allowed:\n    ./system.cue:19:2\n", hint);
    }

    #[test]
    fn an_unknown_field_gets_all() {
        hinted("services.serial: field x not allowed:\n", "there is no field `x`; known are binary, budget");
    }

    #[test]
    fn a_wrong_word_gets_the_choices() {
        hinted(
            "services.serial.restart: 3 errors in empty disjunction:\nservices.serial.restart: conflicting values \"a\" and \"b\":",
            "`services.serial.restart` can be said once, as one of never, onFailure, always",
        );
    }

    #[test]
    fn what_is_said_twice_has_its_place_and_a_way_out() {
        let way =
            "already; name a system of your own and say it there: systems: NAME: {use: [...], services: ...}";
        for errors in [
            "services.x: conflicting values 77 and 6000:\n    ./system.cue:5:2",
            "services.x: incompatible list lengths (3 and 4)",
            "services.x: conflicting values \"a\" and \"b\":",
        ] {
            hinted(errors, &format!("system.cue:5 says `services.x` {way}"));
        }
    }

    #[test]
    fn one_device_is_a_list_too() {
        let values = "conflicting values [...#Device] and {policy:\"virtio\",vendor:6900}";
        hinted(
            &format!("services.x.caps.y.pci: {values} (mismatched types list and struct):"),
            "`services.x.caps.y.pci` is a list, also of one: pci: [{...}]",
        );
    }

    #[test]
    fn what_was_left_out_is_named() {
        let known = super::POLICIES.join(", ");
        let hint = format!("`services.x.caps.y.pci.0` does not say its policy, one of {known}");
        hinted("services.x.caps.y.pci.0.policy: incomplete value string", &hint);
    }

    #[test]
    fn what_is_clear_stays_as_it_is() {
        let errors =
            "services.serial.budget.memoryPages: conflicting values \"x\" and int:\n    ./system.cue:2:40";
        assert_eq!(with_hints(errors, SOURCE), errors);
        let errors = "services.x: conflicting values \"x\" and int & >=0 (mismatched types string and int):";
        assert_eq!(with_hints(errors, SOURCE), errors);
    }
}
