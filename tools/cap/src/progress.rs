//! One long step: its name, the newest line of its output and the time it takes. On a terminal the line lives; elsewhere a step
//! that is long says so every half minute, and one line stands at its end.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a log hears that a step is still at work.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Steps shorter than this leave no line.
const NOTICEABLE: Duration = Duration::from_millis(300);
/// Columns for the newest line of output.
const WIDTH: usize = 70;

/// A step at work.
pub struct Progress {
    what: String,
    start: Instant,
    bar: Option<ProgressBar>,
    told: Mutex<Instant>,
}

impl Progress {
    /// The step begins.
    pub fn start(what: &str) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            // The template is a constant; a wrong one would only change the looks.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {elapsed}  {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let start = Instant::now();
        Progress { what: what.to_owned(), start, bar, told: Mutex::new(start) }
    }

    /// The newest line of its output.
    pub fn say(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(line.trim().chars().take(WIDTH).collect::<String>());
            return;
        }
        if let Ok(mut told) = self.told.lock()
            && told.elapsed() >= HEARTBEAT
        {
            *told = Instant::now();
            eprintln!("  ... {} ({} s)", self.what, self.start.elapsed().as_secs());
        }
    }

    /// The step is done.
    pub fn finish(self, success: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let time = self.start.elapsed();
        if !success || time >= NOTICEABLE {
            let mark = if success { "" } else { "  FAILED" };
            eprintln!("{:7.1} s  {}{mark}", time.as_secs_f64(), self.what);
        }
    }
}
