//! A service that is well or ill as it is told, for cases about supervision.
//!
//! It serves a `ByteStream`: `read` says which instance answers, `write` says what to suffer from. It reports nothing: what becomes of it,
//! others see.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use kit::control::Control;
use kit::service::{End, Handler, receiver, serve_supervised};
use rt::generated::byte_stream::{ByteStreamServer, serve_byte_stream};
use rt::generated::{ByteStreamClient, TimerClient};
use rt::misdeed::Misdeed;
use rt::{CallContext, Cap, Env, Exception, ExceptionCode, Request, Signal, block_on, sys};

rt::main!(run);

/// How long an answer takes: long enough that there is always one in hand when it is replaced.
const WORK_NS: u64 = 2_000_000;

/// Exit codes: 1 receiving failed or it was to die at once, 2 it lacks something.
fn run(mut env: Env) -> i64 {
    let mode = probe::options::text(&env, "mode").unwrap_or("well");
    if mode == "dies" {
        return 1;
    }
    let slow_ms = probe::number(&env, "ready-ms", 0);
    let (Ok(receiver), Ok(timer)) = (receiver(&mut env), env.client::<TimerClient>("timer")) else {
        return 2;
    };
    let control = Control::take(&mut env);
    let patient = Rc::new(Patient {
        timer,
        mode,
        slow_ns: slow_ms * 1_000_000,
        epoch: Cell::new(0),
        unwell: Cell::new(false),
        given: RefCell::default(),
    });
    match block_on(serve_supervised(receiver, patient, control)) {
        End::Drained => 0,
        End::Failed(_) => 1,
    }
}

struct Patient {
    timer: TimerClient,
    mode: &'static str,
    slow_ns: u64,
    epoch: Cell<u32>,
    unwell: Cell<bool>,
    /// What it was given after its start, with the epoch that came along.
    given: RefCell<Vec<(u32, ByteStreamClient)>>,
}

impl Patient {
    async fn pause(&self, ns: u64) {
        if let Ok(now) = self.timer.now().await {
            let _ = self.timer.sleep_until(now.saturating_add(ns)).await;
        }
    }
}

impl Handler for Patient {
    async fn call(self: Rc<Self>, request: Request) {
        serve_byte_stream(&*self, request).await;
    }

    fn gone(&self, _badge: u64) {}

    async fn ready(self: Rc<Self>, epoch: u32) -> Result<(), Exception> {
        self.epoch.set(epoch);
        match self.mode {
            "never-ready" => Signal::new().wait().await,
            "refuses" => return Err(Exception::new(ExceptionCode::Failed, "no")),
            _ => self.pause(self.slow_ns).await,
        }
        Ok(())
    }

    fn well(&self) -> Result<(), Exception> {
        match self.unwell.get() {
            true => Err(Exception::new(ExceptionCode::Failed, "it hurts")),
            false => Ok(()),
        }
    }

    fn given(&self, name: &str, epoch: u32, capability: Cap) -> Result<(), Exception> {
        if name == "useless" {
            return Err(ExceptionCode::Unsupported.into());
        }
        self.given.borrow_mut().push((epoch, ByteStreamClient::from(capability)));
        Ok(())
    }
}

impl ByteStreamServer for Patient {
    /// Epoch, how many capabilities it was given, and the epoch that came with the last.
    async fn read(&self, _cx: &CallContext, _max: u32) -> Result<Vec<u8>, Exception> {
        self.pause(WORK_NS).await;
        let given = self.given.borrow();
        let last = given.last().map_or(0, |(epoch, _)| *epoch);
        Ok(format!("{} {} {last}", self.epoch.get(), given.len()).into_bytes())
    }

    async fn write(&self, _cx: &CallContext, data: &[u8]) -> Result<(), Exception> {
        match data {
            b"leave" => sys::exit(0),
            b"fail" => sys::exit(3),
            b"fault" => {
                // Something to be remembered by.
                (0..self.epoch.get()).for_each(|_| drop(self.timer.now_blocking()));
                outer()
            }
            b"hang" => loop {
                core::hint::spin_loop();
            },
            b"unwell" => self.unwell.set(true),
            // Through what it was given: it is only worth something if it can be called.
            b"use" => {
                let last = self.given.borrow_mut().pop();
                let Some((_, client)) = last else { return Err(ExceptionCode::NotFound.into()) };
                client.read(64).await.map_err(|_| ExceptionCode::Disconnected)?;
            }
            _ => return Err(ExceptionCode::InvalidArgument.into()),
        }
        Ok(())
    }
}

/// Two calls deep, for whoever looks at the way here; nothing is the last thing that either does, or it would have no frame.
#[inline(never)]
fn outer() {
    inner();
    core::hint::black_box(());
}

#[inline(never)]
fn inner() {
    Misdeed::ReadNull.commit();
    core::hint::black_box(());
}
