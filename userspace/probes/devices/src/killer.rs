//! Who kills services.

use alloc::vec::Vec;
use core::cell::RefCell;
use probe::mutate::Rng;
use rt::generated::{ServicesClient, TimerClient};
use rt::{CallError, ExceptionCode};

/// Kills at random times.
pub struct Killer {
    services: ServicesClient,
    timer: TimerClient,
    victims: Vec<&'static str>,
    kills: u64,
    /// Longest time from one kill to the next.
    life_ms: u32,
    rng: RefCell<Rng>,
}

impl Killer {
    /// Of these, so often, so long apart at most.
    pub fn new(
        services: ServicesClient,
        timer: TimerClient,
        victims: Vec<&'static str>,
        (kills, life_ms, seed): (u64, u32, u64),
    ) -> Self {
        Killer { services, timer, victims, kills, life_ms, rng: RefCell::new(Rng::new(seed)) }
    }

    /// Has another instance take over from this service.
    pub async fn replace(&self, name: &str) -> Result<u32, CallError> {
        // A second service of a program has its name with a number.
        self.services.replace(name, name.trim_end_matches(|last: char| last.is_ascii_digit())).await
    }

    /// Lets time pass.
    pub async fn pause(&self, ns: u64) -> Result<(), CallError> {
        self.timer.sleep_until(self.timer.now().await?.saturating_add(ns)).await
    }

    /// Kills as often as it was told; how often that was. Somebody else `looks` before each.
    pub async fn all(&self, looks: impl Fn() -> Result<(), CallError>) -> Result<u64, CallError> {
        let mut done = 0;
        while done < self.kills {
            let pause = 1_000_000 * u64::from(self.rng.borrow_mut().below(self.life_ms));
            self.pause(pause).await?;
            looks()?;
            let Some(name) = self.rng.borrow_mut().pick(&self.victims) else { break };
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
