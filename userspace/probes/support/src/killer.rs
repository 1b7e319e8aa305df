//! Who kills services at random times, while others use them.

use crate::{number, options};
use alloc::rc::Rc;
use capos_mutate::Rng;
use rt::generated::{ServicesClient, TimerClient};
use rt::{CallError, Env, EnvError, ExceptionCode};

/// Shortest time that passes between two looks at whether the victim lives again, nanoseconds.
const BREATH_NS: u64 = 100_000;

/// Kills services.
pub struct Killer {
    services: ServicesClient,
    timer: Rc<TimerClient>,
    victims: &'static str,
    kills: u64,
    /// Longest time from one kill to the next, microseconds.
    life_us: u32,
    rng: Rng,
}

impl Killer {
    /// As the arguments say: `--victims`, with commas between, `--kills` and `--life-us`; none without victims. By that timer, or one of his own.
    pub fn of(env: &mut Env, timer: Option<Rc<TimerClient>>) -> Result<Option<Killer>, EnvError> {
        let Some(victims) = options::text(env, "victims") else { return Ok(None) };
        let (kills, life_us) = (number(env, "kills", 0), number(env, "life-us", 10_000) as u32);
        let services = env.client("services")?;
        let timer = match timer {
            Some(timer) => timer,
            None => Rc::new(env.client("timer")?),
        };
        Ok(Some(Killer { services, timer, victims, kills, life_us, rng: Rng::new(number(env, "seed", 1)) }))
    }

    /// Kills them all; says how often that was.
    pub async fn all(&mut self) -> Result<u64, CallError> {
        let victims: alloc::vec::Vec<_> = self.victims.split(',').collect();
        let mut done = 0;
        while done < self.kills {
            let pause = BREATH_NS + 1_000 * u64::from(self.rng.below(self.life_us));
            self.timer.sleep_until(self.timer.now().await?.saturating_add(pause)).await?;
            let Some(name) = self.rng.pick(&victims) else { break };
            match self.services.kill(name).await {
                Ok(()) => done += 1,
                // It has not been started again yet.
                Err(error) if error.exception() == Some(ExceptionCode::WrongState) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}
