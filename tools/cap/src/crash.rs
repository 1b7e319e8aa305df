//! `crash judge|replay`: disks of machines whose plug was pulled, or could have been.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use crash::{Choice, Event, Fault, Image, Said, Story, kept, read_log, replay};

use crate::command_line::CrashVerb;
use crate::exec::{Context, Failure};

/// Carries out one verb; `Ok(false)` when something is lost, or not sound.
pub fn carry_out(verb: &CrashVerb) -> Result<bool, Failure> {
    match verb {
        CrashVerb::Judge { image, events, kept } => judge(image, events, kept),
        CrashVerb::Replay { log, events, states, samples, seed, drop_flush } => {
            let fault = drop_flush.map_or(Fault::None, Fault::DropFlush);
            replay_log(log, events, fault, &Choice { seed: *seed, samples: *samples, states: *states })
        }
    }
}

fn story(events: &Path) -> Result<Story, Failure> {
    let text = fs::read_to_string(events).context(events.display())?;
    Story::read(&text).map_err(Failure::new)
}

fn judge(image: &Path, events: &Path, notes: &Path) -> Result<bool, Failure> {
    let story = story(events)?;
    // Nobody noted anything yet.
    let noted = fs::read_to_string(notes).unwrap_or_default();
    let mut before: Vec<usize> = noted.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let bytes = fs::read(image).context(image.display())?;
    let (dumps, synced) = story.dumps(bytes.len() as u64, &before).map_err(Failure::new)?;
    match kept(&Image::from_bytes(&bytes), &dumps, synced) {
        Ok(count) => {
            println!(
                "life {}: {count} of {} operations are there, of which {synced} were synced",
                before.len() + 1,
                dumps.len() - 1
            );
            before.push(count);
            let numbers: Vec<String> = before.iter().map(ToString::to_string).collect();
            fs::write(notes, numbers.join(" ")).context(notes.display())?;
            Ok(true)
        }
        Err(bad) => {
            println!(
                "life {}, {} operations, {synced} synced: {bad:?}\nAfter those that were synced there should be {:?}",
                before.len() + 1,
                dumps.len() - 1,
                dumps.get(synced)
            );
            Ok(false)
        }
    }
}

fn replay_log(log: &Path, events: &Path, fault: Fault, choice: &Choice) -> Result<bool, Failure> {
    let story = story(events)?;
    let mut file = BufReader::new(File::open(log).context(log.display())?);
    let mark = |line: &[u8]| match Said::parse(line) {
        Ok(Some(Said::Synced(number))) => Some(Event::Synced(number)),
        _ => None,
    };
    let recording = read_log(&mut file, fault, mark).context(log.display())?;
    let (dumps, synced) = story.dumps(recording.base.bytes(), &[]).map_err(Failure::new)?;
    let replayed = replay(&recording, &dumps, choice);
    if let Some((kept, bad)) = &replayed.first {
        println!("the first bad state, with these writes of the last flush {kept:x?}:\n{bad:?}");
    }
    println!(
        "seed {}: {} operations, {synced} of them synced, {} of {} states, {} bad",
        choice.seed,
        dumps.len() - 1,
        replayed.states,
        replayed.all,
        replayed.bad
    );
    Ok(replayed.bad == 0 && replayed.states > 0)
}
