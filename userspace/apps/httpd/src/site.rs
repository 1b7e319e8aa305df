//! What is told, and what is done, with what we were given.

use alloc::format;
use alloc::string::String;
use capos_text::Report as Told;
use capos_web::{Guard, Request, Response, Status};
use diag::Sources;
use httpd::{Act, Asked, Report, Rows, asked, numbers};
use rt::generated::{
    DisksClient, HardwareAuditLogClient, InspectorClient, LogReaderClient, NetworkManagerClient,
    ServicesClient, SystemInfoClient, TimerClient, VolumeClient, WallClockClient,
};
use rt::{CallError, Env, EnvError, ExceptionCode, log, with_deadline};

/// How long others may take to answer what somebody asks us.
const PATIENCE_NS: u64 = 5_000_000_000;
/// How long who did not know the token waits to hear so: guessing takes time.
const WRONG_TOKEN_NS: u64 = 1_000_000_000;

/// All that we hold. Most may be missing, and what follows from it is then said to be.
pub struct Site {
    guard: Guard,
    timer: TimerClient,
    wall_clock: Option<WallClockClient>,
    system: Option<SystemInfoClient>,
    log_reader: Option<LogReaderClient>,
    hardware_log: Option<HardwareAuditLogClient>,
    inspector: Option<InspectorClient>,
    services: Option<ServicesClient>,
    disks: Option<DisksClient>,
    volume: Option<VolumeClient>,
    network: Option<NetworkManagerClient>,
}

impl Site {
    /// What we were given.
    ///
    /// # Errors
    /// Without a clock no deadline can be kept.
    pub fn new(env: &mut Env, guard: Guard) -> Result<Site, EnvError> {
        Ok(Site {
            guard,
            timer: env.client("timer")?,
            wall_clock: env.client("wall_clock").ok(),
            system: env.client("system").ok(),
            log_reader: env.client("log_reader").ok(),
            hardware_log: env.client("hardware_log").ok(),
            inspector: env.client("inspector").ok(),
            services: env.client("services").ok(),
            disks: env.client("disks").ok(),
            volume: env.client("volume").ok(),
            network: env.client("network").ok(),
        })
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            system: self.system.as_ref(),
            wall_clock: self.wall_clock.as_ref(),
            log_reader: self.log_reader.as_ref(),
            hardware_log: self.hardware_log.as_ref(),
            inspector: self.inspector.as_ref(),
            services: self.services.as_ref(),
            disks: self.disks.as_ref(),
            volume: self.volume.as_ref(),
            network: self.network.as_ref(),
            // Nobody turns the machine off from afar.
            power: None,
        }
    }

    /// Nanoseconds since boot.
    pub async fn now(&self) -> Result<u64, CallError> {
        self.timer.now().await
    }

    /// Waits.
    pub async fn pause(&self, ns: u64) -> Result<(), CallError> {
        let now = self.now().await?;
        self.timer.sleep_until(now.saturating_add(ns)).await
    }

    /// What somebody hears.
    pub async fn answer(&self, request: &Request) -> Response {
        let response = match asked(&self.guard, request) {
            Asked::Answer(response) => response,
            Asked::Metrics => numbers(self.patient(diag::metrics(self.sources())).await),
            Asked::Reports(reports) => self.reports(&reports).await,
            Asked::Act(act, service) => self.act(act, &service).await,
        };
        if response.status() == Status::Unauthorized && request.head.authorization.is_some() {
            log::warn(format_args!("somebody gave a token that is not the operator's"));
            // Without a clock it is said at once.
            let _ = self.pause(WRONG_TOKEN_NS).await;
        }
        match &self.wall_clock {
            Some(clock) => match clock.now().await {
                Ok(now) => response.at(now.unix_ns / 1_000_000_000),
                Err(_) => response,
            },
            None => response,
        }
    }

    /// Does that, in which nobody may keep us for ever.
    async fn patient<F: Future>(&self, asking: F) -> F::Output {
        let now = self.now().await.unwrap_or_default();
        with_deadline(now.saturating_add(PATIENCE_NS), asking).await
    }

    async fn reports(&self, reports: &[Report]) -> Response {
        let mut rows = Rows::default();
        for Report { name, count } in reports {
            let count = count.map(|count| format!("{count}"));
            let gathered = self.patient(diag::gather(self.sources(), name, count.as_deref())).await;
            let lines = gathered.map(|told| told.iter().map(Told::json).collect::<String>());
            let lines = lines.map_err(|trouble| format!("{trouble}"));
            rows.add(name, lines.as_deref().map_err(String::as_str));
        }
        rows.answer()
    }

    async fn act(&self, act: Act, service: &str) -> Response {
        let Some(services) = &self.services else {
            return Response::text(Status::Forbidden, "services are not ours to end or start");
        };
        let done = match act {
            Act::Kill => self.patient(services.kill(service)).await,
            Act::Start => self.patient(services.start(service)).await,
        };
        let verb = if act == Act::Kill { "ended" } else { "started" };
        match done {
            Ok(()) => {
                log::info(format_args!("the operator {verb} {service}"));
                Response::text(Status::Ok, "done")
            }
            Err(error) => match error.exception() {
                Some(ExceptionCode::NotFound) => Response::text(Status::NotFound, "there is no such service"),
                Some(ExceptionCode::WrongState) => {
                    Response::text(Status::Conflict, &format!("it can not be {verb} now"))
                }
                _ => Response::text(Status::ServiceUnavailable, &format!("{error}")),
            },
        }
    }
}
