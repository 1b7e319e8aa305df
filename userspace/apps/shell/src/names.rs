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

#[cfg(test)]
mod tests {
    use super::{Names, ROOM};

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
