//! Names of processes, also of those that have ended: the kernel forgets them, the log does not.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cell::RefCell;
use rt::generated::SystemInfoClient;

/// Names kept; the oldest processes are forgotten first.
const ROOM: usize = 1024;

/// What the shell has seen.
#[derive(Default)]
pub struct Names {
    known: RefCell<BTreeMap<u64, String>>,
}

impl Names {
    /// Takes note of one.
    pub fn note(&self, process: u64, name: &str) {
        let mut known = self.known.borrow_mut();
        known.insert(process, String::from(name));
        while known.len() > ROOM {
            known.pop_first();
        }
    }

    /// Takes note of what the log says of a start, unless the process was seen: also of one that ended before anybody looked.
    pub fn learn(&self, speaker: &str, text: &str) {
        if let Some((name, process)) = started(speaker, text)
            && self.find(process).is_none()
        {
            self.note(process, name);
        }
    }

    /// The name of a process that was seen.
    pub fn find(&self, process: u64) -> Option<String> {
        self.known.borrow().get(&process).cloned()
    }

    /// Takes note of every process that there is.
    pub async fn look(&self, system: &SystemInfoClient) {
        let mut cursor = 0;
        for _ in 0..ROOM {
            // It ends with `notFound`; names are worth no error.
            let Ok(process) = system.process(cursor).await else { return };
            self.note(process.id, &process.name);
            match process.id.checked_add(1) {
                Some(next) if next > cursor => cursor = next,
                _ => return,
            }
        }
    }
}

/// Name and number of the process that a record says is started. Those who start services say so in these words.
fn started<'t>(speaker: &str, text: &'t str) -> Option<(&'t str, u64)> {
    let (name, number) = text.split_once(" started as process ")?;
    if matches!(speaker, "init" | "supervisor") { Some((name, number.parse().ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{Names, ROOM};

    #[test]
    fn the_log_tells_names_of_those_who_were_never_seen() {
        let names = Names::default();
        names.note(3, "seen");
        names.learn("init", "supervisor started as process 2");
        names.learn("supervisor", "console started as process 3");
        names.learn("diag", "kernel started as process 4");
        names.learn("init", "what started as process five");
        assert_eq!(names.find(2).as_deref(), Some("supervisor"));
        assert_eq!(names.find(3).as_deref(), Some("seen"), "what is known is not overruled");
        assert_eq!(names.find(4), None, "not anybody is believed");
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let names = Names::default();
        for process in 0..=ROOM as u64 {
            names.note(process, "x");
        }
        assert_eq!(names.find(0), None);
        assert_eq!(names.find(1).as_deref(), Some("x"));
    }
}
