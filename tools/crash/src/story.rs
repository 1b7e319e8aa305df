//! What a machine says that it does to a volume, and what has to be on it therefore.
//!
//! `probe-files --ops=N` tells each operation before it does it (`files.op`), that one was refused (`files.refused`), and that all before one
//! survive from now on (`files.synced`). When the machine was started again it begins anew (`files.begun`), and so do the numbers.

use serde_json::Value;

use crate::dump::Dump;
use crate::model::Model;
use crate::op::Op;

/// One operation of a machine.
struct Step {
    op: Op,
    /// Why it was refused, if it was.
    refused: Option<String>,
    /// The machine went on.
    is_done: bool,
}

/// What was done from one start of a machine to the next.
#[derive(Default)]
struct Life {
    steps: Vec<Step>,
    synced: usize,
}

/// What was done.
#[derive(Default)]
pub struct Story {
    lives: Vec<Life>,
}

/// What a line of the test port says.
pub enum Said {
    /// The probe began.
    Begun,
    /// An operation begins: its number, and which.
    Op(usize, Op),
    /// It was refused, and why.
    Refused(usize, String),
    /// All operations before that number are durable.
    Synced(usize),
}

impl Said {
    /// From a line; `None` for what does not matter here.
    ///
    /// # Errors
    /// When it is no operation.
    pub fn parse(line: &[u8]) -> Result<Option<Said>, String> {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return Ok(None) };
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let number = value.get("number").and_then(Value::as_u64).unwrap_or(0) as usize;
        Ok(Some(match text("event") {
            "files.begun" => Said::Begun,
            "files.op" => Said::Op(number, Op::parse(text("op"))?),
            "files.refused" => Said::Refused(number, text("why").to_owned()),
            "files.synced" => Said::Synced(number),
            _ => return Ok(None),
        }))
    }
}

impl Story {
    /// From the lines of a test port.
    ///
    /// # Errors
    /// When a line cannot be understood.
    pub fn read(lines: &str) -> Result<Story, String> {
        let mut story = Story::default();
        for line in lines.lines() {
            let Some(said) = Said::parse(line.as_bytes())? else { continue };
            story.take(said).ok_or_else(|| format!("this does not follow: {line}"))?;
        }
        Ok(story)
    }

    fn take(&mut self, said: Said) -> Option<()> {
        if matches!(said, Said::Begun) {
            self.lives.push(Life::default());
            return Some(());
        }
        let life = self.lives.last_mut()?;
        match said {
            Said::Op(number, op) if number == life.steps.len() => {
                life.steps.iter_mut().for_each(|step| step.is_done = true);
                life.steps.push(Step { op, refused: None, is_done: false });
            }
            Said::Refused(number, why) => life.steps.get_mut(number)?.refused = Some(why),
            Said::Synced(number) if number <= life.steps.len() => life.synced = number,
            _ => return None,
        }
        Some(())
    }

    /// How often the machine was started.
    pub fn lives(&self) -> usize {
        self.lives.len()
    }

    /// What is to be seen after so many operations of the last life, from none to all, and how many are durable. `kept` is how many there were
    /// of each life before.
    ///
    /// # Errors
    /// When what the machine said and the model do not agree.
    pub fn dumps(&self, most: u64, kept: &[usize]) -> Result<(Vec<Dump>, usize), String> {
        let mut model = Model::new(most);
        for (life, kept) in self.lives.iter().zip(kept) {
            life.steps.iter().take(*kept).try_for_each(|step| step.apply(&mut model))?;
        }
        let mut dumps = vec![model.dump()];
        let Some(last) = self.lives.get(kept.len()) else { return Ok((dumps, 0)) };
        for step in &last.steps {
            step.apply(&mut model)?;
            dumps.push(model.dump());
        }
        Ok((dumps, last.synced))
    }
}

impl Step {
    fn apply(&self, model: &mut Model) -> Result<(), String> {
        if self.refused.as_deref() == Some("OutOfMemory") {
            return Ok(());
        }
        match (model.apply(&self.op), &self.refused) {
            (Ok(()), None) | (Err(_), Some(_)) => Ok(()),
            // The plug was pulled before anybody could say what came of it.
            (Err(_), None) if !self.is_done => Ok(()),
            (done, refused) => Err(format!(
                "{:?}: the model says {done:?}, and the machine refused it: {refused:?}",
                self.op
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"event":"files.begun"}
{"event":"files.op","number":0,"op":"directory d"}
{"event":"check","ok":true}
{"event":"files.op","number":1,"op":"sync"}
{"event":"files.synced","number":2}
{"event":"files.op","number":2,"op":"file d/a"}
{"event":"files.op","number":3,"op":"file d/b"}
{"event":"files.op","number":4,"op":"remove d/none"}
{"event":"files.begun"}
{"event":"files.op","number":0,"op":"file d/b"}
{"event":"files.op","number":1,"op":"write d/b 5000 10 1"}
{"event":"files.refused","number":1,"why":"OutOfMemory"}
"#;

    fn paths(dumps: &[Dump]) -> Vec<Vec<&str>> {
        dumps.iter().map(|dump| dump.keys().map(String::as_str).collect()).collect()
    }

    #[test]
    fn each_life_goes_on_with_what_was_kept_of_the_one_before() {
        let story = Story::read(LINES).unwrap();
        assert_eq!(story.lives(), 2);
        let (dumps, synced) = story.dumps(1 << 20, &[]).unwrap();
        assert_eq!(synced, 2);
        let all = ["d", "d/a", "d/b"];
        assert_eq!(paths(&dumps), [&all[..0], &all[..1], &all[..1], &all[..2], &all, &all]);
        let (dumps, synced) = story.dumps(1 << 20, &[3]).unwrap();
        assert_eq!((paths(&dumps), synced), ([&all[..2], &all, &all].map(<[&str]>::to_vec).to_vec(), 0));
        assert_eq!(dumps[2]["d/b"].data, [0; 0], "there was no room");
    }

    #[test]
    fn what_the_model_does_not_say_is_noticed() {
        // It is there already, and nobody was told that it was refused.
        let second = Story::read(LINES).unwrap().dumps(1 << 20, &[4]);
        assert!(second.unwrap_err().contains("Exists"));
        let refused = LINES.replace(r#""number":1,"why":"OutOfMemory""#, r#""number":1,"why":"Denied""#);
        assert!(Story::read(&refused).unwrap().dumps(1 << 20, &[3]).unwrap_err().contains("Denied"));
        for (from, to) in
            [("files.op\",\"number\":3", "files.op\",\"number\":4"), ("number\":2}", "number\":3}")]
        {
            assert!(Story::read(&LINES.replace(from, to)).is_err_and(|why| why.contains("follow")), "{from}");
        }
        assert!(Story::read(&LINES.replace("remove", "lose")).is_err_and(|why| why.contains("no operation")));
    }
}
