//! What all workers saw together.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_block::{Operation, Request, Status};
use core::cell::{Cell, RefCell};
use probe::{Fields, Report};

/// Failures that are told one by one.
const TOLD: u64 = 16;

/// Counts.
pub struct Tally {
    report: Rc<Report>,
    requests: [Cell<u64>; Operation::ALL.len()],
    durable: Cell<u64>,
    failed: Cell<u64>,
    /// Flushes that were told that something is lost.
    lost: Cell<u64>,
    verified: Cell<u64>,
    wrong: Cell<u64>,
    why: RefCell<String>,
}

fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}

impl Tally {
    /// Of nothing yet.
    pub fn new(report: &Rc<Report>) -> Tally {
        Tally {
            report: Rc::clone(report),
            requests: Default::default(),
            durable: Cell::new(0),
            failed: Cell::new(0),
            lost: Cell::new(0),
            verified: Cell::new(0),
            wrong: Cell::new(0),
            why: RefCell::default(),
        }
    }

    /// A request is over.
    pub fn count(&self, request: &Request) {
        if let Some(count) = self.requests.get(request.operation as usize) {
            add(count, 1);
        }
        add(&self.durable, request.durable.into());
    }

    /// It failed.
    pub fn failed(&self, request: &Request, status: Status, detail: u32) {
        add(&self.failed, 1);
        if self.failed.get() <= TOLD {
            let fields = Fields::new()
                .text("operation", &format!("{:?}", request.operation))
                .value("first", request.first)
                .value("sectors", request.sectors)
                .text("status", &format!("{status:?}"))
                .value("detail", detail);
            self.report.event("block.failed", fields);
        }
    }

    /// A flush was told that something is lost.
    pub fn lost(&self) {
        add(&self.lost, 1);
    }

    /// How often that was.
    pub fn losses(&self) -> u64 {
        self.lost.get()
    }

    /// So many sectors were what they had to be, but for something.
    pub fn verified(&self, sectors: u64, wrong: Option<String>) {
        add(&self.verified, sectors);
        if let Some(why) = wrong {
            add(&self.wrong, 1);
            *self.why.borrow_mut() = why;
        }
    }

    /// Tells all of it.
    pub fn tell(&self) {
        let mut fields = Fields::new();
        for (operation, count) in Operation::ALL.iter().zip(&self.requests) {
            fields = fields.value(&format!("{operation:?}").to_lowercase(), count.get());
        }
        let fields = fields
            .value("durable", self.durable.get())
            .value("failed", self.failed.get())
            .value("lost", self.lost.get())
            .value("verified", self.verified.get())
            .value("wrong", self.wrong.get())
            .text("why", &self.why.borrow());
        self.report.event("block.done", fields);
    }
}
