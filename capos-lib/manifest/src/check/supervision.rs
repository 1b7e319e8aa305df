//! Promises and policies: such as can be kept, and none that could never matter.

use super::Issues;
use crate::facts::MOST_WAITS;
use crate::issue::Field;
use crate::model::{Escalate, Follow, Limit, Manifest, Restart, Service};
use alloc::format;
use alloc::string::String;

/// What is longer is a typing mistake: a day.
const LONGEST_MS: u32 = 24 * 60 * 60 * 1000;

pub(super) fn check(service: &Service, issues: &mut Issues) {
    backoff(service, issues);
    limit(service, issues);
    health(service, issues);
    if service.drain_ms > LONGEST_MS {
        issues.add(service, Field::DrainMs, "", too_long(service.drain_ms));
    }
    policies(service, issues);
}

/// With more the supervisor could not wait for some of them: it would neither see them end nor ask them how they are.
pub(super) fn check_count(manifest: &Manifest, issues: &mut Issues) {
    let waits = |service: &Service| 1 + usize::from(service.health.is_some());
    let mut sum = 0;
    for service in &manifest.services {
        let before = sum;
        sum += waits(service);
        if before <= MOST_WAITS && sum > MOST_WAITS {
            let message = format!(
                "with the services before it there are more than a supervisor can look after: {MOST_WAITS}, or half as many that promise to be healthy"
            );
            issues.add(service, Field::Name, "", message);
        }
    }
}

fn backoff(service: &Service, issues: &mut Issues) {
    let backoff = &service.backoff;
    if backoff.first_ms == 0 {
        let message = String::from("without a wait, a service that dies at once eats the machine");
        issues.add(service, Field::Backoff, "firstMs", message);
    }
    if backoff.longest_ms < backoff.first_ms {
        let message = format!("{} is less than the first wait, {}", backoff.longest_ms, backoff.first_ms);
        issues.add(service, Field::Backoff, "longestMs", message);
    }
    if backoff.longest_ms > LONGEST_MS {
        issues.add(service, Field::Backoff, "longestMs", too_long(backoff.longest_ms));
    }
}

fn limit(service: &Service, issues: &mut Issues) {
    let limit = &service.limit;
    if !(1..=Limit::MOST).contains(&limit.restarts) {
        let mut message = format!("{} restarts; 1 to {} are possible", limit.restarts, Limit::MOST);
        if limit.restarts == 0 {
            message.push_str("; what is not to be started again says restart: \"never\"");
        }
        issues.add(service, Field::Limit, "restarts", message);
    }
    match limit.window_ms {
        0 => issues.add(service, Field::Limit, "windowMs", String::from("nothing happens within no time")),
        long if long > LONGEST_MS => issues.add(service, Field::Limit, "windowMs", too_long(long)),
        _ => {}
    }
}

fn health(service: &Service, issues: &mut Issues) {
    let Some(health) = &service.health else { return };
    let times = [("readyMs", health.ready_ms), ("everyMs", health.every_ms), ("answerMs", health.answer_ms)];
    for (entry, time) in times {
        match time {
            0 => issues.add(service, Field::Health, entry, String::from("nobody answers within no time")),
            long if long > LONGEST_MS => issues.add(service, Field::Health, entry, too_long(long)),
            _ => {}
        }
    }
}

fn too_long(time: u32) -> String {
    format!("{time} ms are more than a day")
}

fn policies(service: &Service, issues: &mut Issues) {
    if service.escalate != Escalate::Nothing && service.restart == Restart::Never {
        let message = String::from("a service with restart: \"never\" is never given up");
        issues.add(service, Field::Escalate, "", message);
    }
    let holds_export = service.caps.iter().any(|grant| grant.source.provider().is_some());
    if service.follow != Follow::Nothing && !holds_export {
        let message =
            String::from("it holds nothing that another service exports, so there is nobody to follow");
        issues.add(service, Field::Follow, "", message);
    }
    if service.follow == Follow::Told && service.health.is_none() {
        let message = String::from("it can only be told when it speaks with its supervisor");
        let hint = Some(String::from("add health: {} if it serves `control`, or say \"restarted\""));
        issues.add_with_hint(service, Field::Follow, "", message, hint);
    }
}
