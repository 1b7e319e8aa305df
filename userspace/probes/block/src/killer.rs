//! Who kills whoever serves the disk, at random times, while others read and write.

use probe::mutate::Rng;
use rt::generated::{ServicesClient, TimerClient};
use rt::{CallError, ExceptionCode};

/// Shortest time that passes between two looks at whether the victim lives again, nanoseconds.
const BREATH_NS: u64 = 100_000;

/// Kills services.
pub struct Killer {
    services: ServicesClient,
    timer: TimerClient,
    victims: &'static str,
    kills: u64,
    /// Longest time from one kill to the next, microseconds.
    life_us: u32,
    rng: Rng,
}

impl Killer {
    /// Of these, with commas between, so often, and so far apart at most.
    pub fn new(
        services: ServicesClient,
        timer: TimerClient,
        victims: &'static str,
        kills: u64,
        life_us: u32,
        seed: u64,
    ) -> Killer {
        Killer { services, timer, victims, kills, life_us, rng: Rng::new(seed) }
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
