//! One case file becomes the product of its axes, minus what it excludes with a reason.
//!
//! An axis named like a key of `[machine]` sets that key. Any other axis is a variable: `{name}` in any string of the file stands
//! for its value, and a string that is nothing but `{name}` becomes the value itself, number or text. Values that belong together
//! are a table: `{name.field}` stands for one of them, and the first one names the sub-case.

use toml::{Table, Value};

use crate::case::Case;

/// One sub-case, ready to run.
#[derive(Clone, Debug)]
pub struct SubCase {
    /// `boot-paths[cpus=4,boot=pvh]`.
    pub name: String,
    /// The directory that the file is in.
    pub area: String,
    /// What to do.
    pub case: Case,
}

/// Keys of `[machine]` that an axis may set.
const MACHINE_AXES: [&str; 8] = ["kind", "boot", "cpus", "memory", "cpu", "accel", "icount", "iommu"];

/// Expands the parsed file `name` of `area`.
pub fn expand(name: &str, area: &str, mut file: Table) -> Result<Vec<SubCase>, String> {
    let axes = take_axes(&mut file)?;
    let excludes = take_excludes(&mut file, &axes)?;
    let mut used = vec![false; excludes.len()];
    let mut cases = Vec::new();
    for choice in product(&axes) {
        if let Some(which) = excludes.iter().position(|exclude| exclude.covers(&choice)) {
            used.iter_mut().skip(which).take(1).for_each(|flag| *flag = true);
            continue;
        }
        let full = full_name(name, &choice);
        let case = instantiate(&file, &choice).map_err(|error| format!("{full}: {error}"))?;
        cases.push(SubCase { name: full, area: area.to_owned(), case });
    }
    match used.iter().zip(&excludes).find(|(used, _)| !**used) {
        Some((_, exclude)) => Err(format!("exclude `{}` matches no combination", exclude.reason)),
        None => Ok(cases),
    }
}

type Axis = (String, Vec<Value>);
type Choice<'a> = Vec<(&'a str, &'a Value)>;

fn take_axes(file: &mut Table) -> Result<Vec<Axis>, String> {
    let Some(matrix) = file.remove("matrix") else {
        return Ok(Vec::new());
    };
    let Value::Table(matrix) = matrix else {
        return Err("matrix must be a table of lists".into());
    };
    matrix
        .into_iter()
        .map(|(axis, values)| match values {
            Value::Array(values) if !values.is_empty() && values.iter().all(is_plain) => Ok((axis, values)),
            _ => Err(format!(
                "matrix.{axis} must be a list of numbers, texts or tables of them, and not empty"
            )),
        })
        .collect()
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Table(fields) => !fields.is_empty() && fields.values().all(is_scalar),
        value => is_scalar(value),
    }
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Integer(_) | Value::Boolean(_) | Value::Float(_))
}

/// A row of `[[exclude]]`: combinations that are not run, and why.
struct Exclude {
    /// Axis, and any of these values.
    cells: Vec<(String, Vec<Value>)>,
    reason: String,
}

impl Exclude {
    fn covers(&self, choice: &Choice<'_>) -> bool {
        self.cells.iter().all(|(axis, values)| {
            choice.iter().any(|(name, value)| *name == axis.as_str() && values.contains(value))
        })
    }
}

fn take_excludes(file: &mut Table, axes: &[Axis]) -> Result<Vec<Exclude>, String> {
    let rows = match file.remove("exclude") {
        None => return Ok(Vec::new()),
        Some(Value::Array(rows)) => rows,
        Some(_) => return Err("exclude must be a list of tables".into()),
    };
    rows.into_iter().map(|row| read_exclude(row, axes)).collect()
}

fn read_exclude(row: Value, axes: &[Axis]) -> Result<Exclude, String> {
    let Value::Table(mut row) = row else {
        return Err("exclude must be a list of tables".into());
    };
    let reason = match row.remove("reason") {
        Some(Value::String(reason)) if !reason.trim().is_empty() => reason,
        _ => return Err("every exclude needs a reason".into()),
    };
    if let Some(unknown) = row.keys().find(|key| !axes.iter().any(|(axis, _)| axis == *key)) {
        return Err(format!("exclude `{reason}` names `{unknown}`, which is no axis of the matrix"));
    }
    if row.is_empty() {
        return Err(format!("exclude `{reason}` would exclude everything"));
    }
    let cells = row.into_iter().map(|(axis, value)| match value {
        Value::Array(values) => (axis, values),
        value => (axis, vec![value]),
    });
    Ok(Exclude { cells: cells.collect(), reason })
}

/// All combinations, the last axis changing fastest.
fn product(axes: &[Axis]) -> Vec<Choice<'_>> {
    axes.iter().fold(vec![Vec::new()], |choices, (axis, values)| {
        let extended = choices.iter().flat_map(|choice| {
            values.iter().map(move |value| {
                let mut longer: Choice<'_> = choice.clone();
                longer.push((axis.as_str(), value));
                longer
            })
        });
        extended.collect()
    })
}

fn full_name(name: &str, choice: &Choice<'_>) -> String {
    if choice.is_empty() {
        return name.to_owned();
    }
    let cells: Vec<String> = choice.iter().map(|(axis, value)| format!("{axis}={}", plain(value))).collect();
    format!("{name}[{}]", cells.join(","))
}

/// A value as part of a name or a text; a table goes by its first field.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Table(fields) => fields.values().next().map(plain).unwrap_or_default(),
        other => other.to_string(),
    }
}

fn instantiate(file: &Table, choice: &Choice<'_>) -> Result<Case, String> {
    let mut file = file.clone();
    for (axis, value) in choice {
        if MACHINE_AXES.contains(axis) {
            let machine = file.entry("machine").or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(machine) = machine else {
                return Err("machine must be a table".into());
            };
            machine.insert((*axis).to_owned(), (*value).clone());
        }
    }
    let mut value = Value::Table(file);
    substitute(&mut value, &variables(choice));
    Case::try_from_value(value)
}

/// What can stand between braces, and for what.
fn variables(choice: &Choice<'_>) -> Vec<(String, Value)> {
    let mut variables = Vec::new();
    for (axis, value) in choice {
        if let Value::Table(fields) = value {
            variables
                .extend(fields.iter().map(|(field, value)| (format!("{{{axis}.{field}}}"), value.clone())));
        }
        variables.push((format!("{{{axis}}}"), (*value).clone()));
    }
    variables
}

impl Case {
    fn try_from_value(value: Value) -> Result<Case, String> {
        value.try_into().map_err(|error: toml::de::Error| error.to_string())
    }
}

fn substitute(value: &mut Value, variables: &[(String, Value)]) {
    match value {
        Value::String(text) => {
            if let Some((_, chosen)) = variables.iter().find(|(name, _)| name == text) {
                *value = chosen.clone();
                return;
            }
            for (name, chosen) in variables {
                *text = text.replace(name, &plain(chosen));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| substitute(value, variables)),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| substitute(value, variables)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Boot, Kind};

    fn run(text: &str) -> Result<Vec<SubCase>, String> {
        expand("x-y", "x", text.parse().map_err(|error: toml::de::Error| error.to_string())?)
    }

    fn names(text: &str) -> Vec<String> {
        run(text).unwrap().into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn without_a_matrix_a_case_is_itself() {
        assert_eq!(names("why = 'a'"), ["x-y"]);
    }

    #[test]
    fn axes_multiply_in_the_order_of_the_file() {
        let text = "why = 'a'\n[matrix]\nkind = ['q35', 'pc']\ncpus = [1, 4]";
        assert_eq!(
            names(text),
            ["x-y[kind=q35,cpus=1]", "x-y[kind=q35,cpus=4]", "x-y[kind=pc,cpus=1]", "x-y[kind=pc,cpus=4]"]
        );
        let last = run(text).unwrap().pop().unwrap().case.machine;
        assert_eq!((last.kind, last.cpus), (Kind::Pc, 4));
    }

    #[test]
    fn machine_axes_join_what_the_file_says() {
        let case = run("why = 'a'\n[machine]\nmemory = '1G'\n[matrix]\nboot = ['grub-uefi-iso']")
            .unwrap()
            .pop()
            .unwrap();
        assert_eq!((case.case.machine.memory, case.case.machine.boot), (1024, Boot::GrubUefiIso));
    }

    #[test]
    fn excluded_combinations_are_gone() {
        let text = "why = 'a'\nexclude = [{ kind = 'pc', cpus = [4, 8], reason = 'slow' }]\n\
                    [matrix]\nkind = ['q35', 'pc']\ncpus = [1, 4, 8]";
        assert_eq!(names(text).len(), 4);
        assert!(!names(text).iter().any(|name| name.contains("pc,cpus=4")));
    }

    #[test]
    fn excludes_are_checked() {
        let matrix = "[matrix]\ncpus = [1]";
        for row in [
            "{ cpus = 1 }",
            "{ cpus = 1, reason = ' ' }",
            "{ reason = 'x' }",
            "{ kind = 'pc', reason = 'x' }",
        ] {
            assert!(run(&format!("why = 'a'\nexclude = [{row}]\n{matrix}")).is_err(), "{row}");
        }
        let error =
            run(&format!("why = 'a'\nexclude = [{{ cpus = 9, reason = 'big' }}]\n{matrix}")).unwrap_err();
        assert!(error.contains("big") && error.contains("no combination"), "{error}");
    }

    #[test]
    fn variables_fill_strings_and_keep_their_type() {
        let text = "why = 'step {step}'\nexpect = [{ event = 'e', where = { step = '{step}' } }]\n[matrix]\nstep = [7]";
        let case = run(text).unwrap().pop().unwrap().case;
        assert_eq!(case.why, "step 7");
        assert_eq!(case.expect[0].fields["step"], serde_json::json!(7));
    }

    #[test]
    fn values_that_belong_together_are_tables() {
        let text = "why = '{ask.line} gives {ask.kind}'\nexpect = [{ event = '{ask.kind}', where = { n = '{ask.n}' } }]\n\
                    [matrix]\nask = [{ line = 'logs 3', kind = 'log', n = 3 }]";
        let case = run(text).unwrap().pop().unwrap();
        assert_eq!((case.name.as_str(), case.case.why.as_str()), ("x-y[ask=logs 3]", "logs 3 gives log"));
        assert_eq!(case.case.expect[0].fields["n"], serde_json::json!(3));
    }

    #[test]
    fn bad_axes_are_refused() {
        for matrix in [
            "matrix = 3",
            "[matrix]\ncpus = 3",
            "[matrix]\ncpus = []",
            "[matrix]\ncpus = [[1]]",
            "[matrix]\nx = [{}]",
        ] {
            assert!(run(&format!("why = 'a'\n{matrix}")).is_err(), "{matrix}");
        }
    }

    #[test]
    fn errors_name_the_sub_case() {
        let error = run("why = 'a'\n[matrix]\ncpus = ['many']").unwrap_err();
        assert!(error.contains("x-y[cpus=many]"), "{error}");
    }
}
