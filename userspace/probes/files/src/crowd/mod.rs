//! Many clients at a time, in processes of their own, each by its `--crowd=ROLE`: members, which know what they wrote; a victim, which holds what it
//! removed and is killed; one that keeps to nothing; and who leads, and looks afterwards what is left of them.

mod hostile;
mod lead;
mod member;
mod task;

use alloc::format;
use alloc::string::String;
use probe::{Report, options};
use rt::generated::{DirectoryClient, NamespaceClient, TimerClient};
use rt::schema::directory::Creation;
use rt::{CallError, Env, EnvError, ExceptionCode, block_on};

/// Where all of them are.
const PLACE: &str = "crowd";
/// The name that is there when they may begin.
const GO: &str = "go";
/// Time between two looks.
const PAUSE_NS: u64 = 2_000_000;

/// Who takes part.
struct Player {
    report: Report,
    root: NamespaceClient,
    timer: TimerClient,
    name: &'static str,
}

impl Player {
    fn new(env: &mut Env) -> Result<Player, EnvError> {
        Ok(Player {
            report: Report::new(env)?,
            root: env.client("root")?,
            timer: env.client("timer")?,
            name: options::text(env, "name").unwrap_or("lead"),
        })
    }

    /// The place, through a facet of one's own.
    async fn place(&self) -> Result<DirectoryClient, CallError> {
        self.root.open_directory(Creation::Missing, PLACE).await
    }

    /// Waits until a name is there.
    async fn see(&self, place: &DirectoryClient, name: &str) -> Result<(), CallError> {
        loop {
            match place.stat(name).await {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => {}
                other => return other.map(drop),
            }
            self.timer.sleep_until(self.timer.now().await?.saturating_add(PAUSE_NS)).await?;
        }
    }

    /// Says something to those who wait for a name.
    async fn say(&self, place: &DirectoryClient, name: &str) -> Result<(), CallError> {
        place.open_file(Creation::Missing, true, name).await.map(drop)
    }
}

/// The name that tells that somebody did what others wait for.
fn done(name: &str) -> String {
    format!("done-{name}")
}

/// Plays a role to its end.
pub fn run(mut env: Env, role: &str) -> i64 {
    let Ok(player) = Player::new(&mut env) else { return 2 };
    let played = match role {
        "lead" => block_on(lead::lead(&player, &mut env)),
        "member" => block_on(member::take_part(&player, &env)),
        "victim" => block_on(member::be_killed(&player)),
        _ => block_on(hostile::attack(&player)),
    };
    if let Err(error) = &played {
        player.report.check(player.name, false, error);
    }
    match role {
        "lead" => player.report.finish(u8::from(played.is_err())),
        _ => 0,
    }
}
