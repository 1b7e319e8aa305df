//! The machine's page: files that a browser gets (`static`), what stands behind the paths they ask for, who may do something, and how many may come.
//! Pure: whoever serves it gathers reports himself and has the sockets.
//!
//! | path | |
//! |---|---|
//! | `/`, `/app.js`, ... | the page |
//! | `/api` | which reports there are, and whether anybody may act |
//! | `/api/status,cpu` | rows of these reports as one array; each report begins with a row of kind `report` |
//! | `/metrics` | numbers for Prometheus |
//! | `/api/operator` | POST: whether the token is right |
//! | `/api/services/NAME/kill`, `.../start` | POST, with the operator's token |
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod crowd;

pub use crowd::{Crowd, Peer};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::Object;
use capos_web::{Asset, Body, Guard, Media, Method, Request, Response, Status, asset};

/// The page.
const FILES: [Asset; 9] = [
    asset("/", Media::Html, include_bytes!("../static/index.html")),
    asset("/style.css", Media::Css, include_bytes!("../static/style.css")),
    asset("/icon.svg", Media::Svg, include_bytes!("../static/icon.svg")),
    asset("/app.js", Media::JavaScript, include_bytes!("../static/app.js")),
    asset("/data.js", Media::JavaScript, include_bytes!("../static/data.js")),
    asset("/dom.js", Media::JavaScript, include_bytes!("../static/dom.js")),
    asset("/draw.js", Media::JavaScript, include_bytes!("../static/draw.js")),
    asset("/tables.js", Media::JavaScript, include_bytes!("../static/tables.js")),
    asset("/views.js", Media::JavaScript, include_bytes!("../static/views.js")),
];

/// The reports that may be asked for: commands of the diagnostics that change nothing.
pub const REPORTS: [&str; 17] = [
    "status",
    "cpu",
    "mem",
    "processes",
    "services",
    "holdings",
    "devices",
    "iommu",
    "irq",
    "audit",
    "hardware",
    "storage",
    "network",
    "logs",
    "timers",
    "pci",
    "acpi",
];

/// Those that take how many rows they are to tell.
const COUNTED: [&str; 2] = ["hardware", "logs"];

/// Reports of one request.
const MOST: usize = 12;

/// Rows of reports that have no end, when nobody says how many.
const ROWS: u16 = 100;

/// What a request is about.
#[derive(Debug)]
pub enum Asked {
    /// This is the answer.
    Answer(Response),
    /// The rows of these reports.
    Reports(Vec<Report>),
    /// The numbers of all reports.
    Metrics,
    /// Something is to be done, by who may.
    Act(Act, String),
}

/// A report, and how many rows of it, where that is a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// A command of the diagnostics.
    pub name: &'static str,
    /// Its argument.
    pub count: Option<u16>,
}

/// What can be done with a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// End it; the manifest says whether it is started again.
    Kill,
    /// Start it, if it has ended.
    Start,
}

/// What a request is about, if whoever asks may ask that.
pub fn asked(guard: &Guard, request: &Request) -> Asked {
    let head = &request.head;
    if let Err(refusal) = guard.reading(head) {
        return Asked::Answer(refusal.answer());
    }
    let path = head.target.path.as_str();
    let deed = deed(path);
    match (head.method, deed) {
        (Method::Post, Some(deed)) => match guard.acting(head) {
            Ok(()) => deed.map_or_else(
                || Asked::Answer(Response::text(Status::Ok, "welcome")),
                |(act, service)| Asked::Act(act, service),
            ),
            Err(refusal) => Asked::Answer(refusal.answer()),
        },
        (_, Some(_)) => Asked::Answer(method("POST")),
        (Method::Get | Method::Head, None) => told(guard, request, path),
        (_, None) if is_told(path) => Asked::Answer(method("GET, HEAD")),
        (_, None) => Asked::Answer(nothing()),
    }
}

/// What a path does: nothing (the operator knocks), or something to a service.
fn deed(path: &str) -> Option<Option<(Act, String)>> {
    if path == "/api/operator" {
        return Some(None);
    }
    let (service, act) = path.strip_prefix("/api/services/")?.split_once('/')?;
    let act = match act {
        "kill" => Act::Kill,
        "start" => Act::Start,
        _ => return None,
    };
    Some(Some((act, String::from(service))))
}

fn is_told(path: &str) -> bool {
    FILES.iter().any(|file| file.path == path) || matches!(path, "/api" | "/metrics") || named(path).is_some()
}

fn told(guard: &Guard, request: &Request, path: &str) -> Asked {
    if let Some(file) = FILES.iter().find(|file| file.path == path) {
        return Asked::Answer(file.answer(request.head.if_none_match.as_deref()));
    }
    match path {
        "/api" => Asked::Answer(site(guard)),
        "/metrics" => Asked::Metrics,
        _ => {
            let count =
                request.head.target.asked("count").and_then(|count| count.parse().ok()).unwrap_or(ROWS);
            let with_count = |name| Report { name, count: COUNTED.contains(&name).then_some(count) };
            match named(path) {
                Some(names) => Asked::Reports(names.into_iter().map(with_count).collect()),
                None => Asked::Answer(nothing()),
            }
        }
    }
}

/// The reports that a path names: all of them known, none twice, and not too many.
fn named(path: &str) -> Option<Vec<&'static str>> {
    let mut names = Vec::new();
    for word in path.strip_prefix("/api/")?.split(',') {
        let name = REPORTS.iter().copied().find(|name| *name == word)?;
        if names.contains(&name) || names.len() == MOST {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn nothing() -> Response {
    Response::text(Status::NotFound, "there is nothing here of that name")
}

fn method(allowed: &'static str) -> Response {
    Response::text(Status::MethodNotAllowed, &format!("here is only {allowed}")).allowing(allowed)
}

fn site(guard: &Guard) -> Response {
    let names: Vec<String> = REPORTS.iter().map(|name| format!("\"{name}\"")).collect();
    let site = Object::new().raw("reports", &format!("[{}]", names.join(",")));
    json(site.flag("operator", guard.is_open()).finish())
}

fn json(text: String) -> Response {
    Response::new(Status::Ok, Media::Json, Body::Made(text.into_bytes()))
}

/// The rows of reports, gathered one after the other.
#[derive(Default)]
pub struct Rows {
    text: String,
}

impl Rows {
    /// What a report is, as lines of JSON objects; or why there is none.
    pub fn add(&mut self, name: &str, lines: Result<&str, &str>) {
        self.row(&Object::new().text("kind", "report").text("name", name).finish());
        match lines {
            Ok(lines) => lines.lines().for_each(|line| self.row(line)),
            Err(why) => {
                let row = Object::new().text("kind", "error").text("report", name).text("text", why);
                self.row(&row.finish());
            }
        }
    }

    fn row(&mut self, row: &str) {
        self.text.push_str(if self.text.is_empty() { "[" } else { ",\n" });
        self.text.push_str(row);
    }

    /// The answer.
    pub fn answer(mut self) -> Response {
        self.text.push_str(if self.text.is_empty() { "[]" } else { "]" });
        json(self.text)
    }
}

/// The answer to who asked for numbers.
pub fn numbers(text: String) -> Response {
    Response::new(Status::Ok, Media::Prometheus, Body::Made(text.into_bytes()))
}

#[cfg(test)]
mod tests;
