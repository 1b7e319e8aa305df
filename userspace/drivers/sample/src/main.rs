//! sample: says in one sentence which device it drives, and for whom.
//!
//! For a start it drives QEMU's `edu` device: has it interrupt twice, and says so to who reads.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::convert::Infallible;
use kit::device::{Refused, each, start};
use kit::dma::Buffer;
use kit::irq::Line;
use kit::service::{self, Handler};
use rt::generated::byte_stream::{ByteStreamServer, serve_byte_stream};
use rt::generated::{DeviceClaimClient, DeviceClient, TimerClient};
use rt::{CallContext, Env, EnvError, Exception, ExceptionCode, Request, Signal};

rt::main!(run);

/// The base address register of the device's registers, the bytes of one, and those that are used here.
const BAR: u8 = 0;
const WIDTH: u8 = 4;
const IDENTIFICATION: u32 = 0x00;
const CAUSES: u32 = 0x24;
const RAISE: u32 = 0x60;
const ACKNOWLEDGE: u32 = 0x64;

/// What it interrupts with, one after the other.
const FIRST: u64 = 1;
const SECOND: u64 = 2;

/// Bits of an address that the device takes, and of the largest buffer: a page.
const ADDRESS_BITS: u8 = 28;
const BUFFER_BITS: u8 = 12;

fn run(env: Env) -> i64 {
    service::run(env, serve_and_drive)
}

/// What is served, and what is done beside that: to wait for a device, to drive it, and when it is unplugged the next one.
fn serve_and_drive(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = env.client::<TimerClient>("timer")?;
    let server = Rc::new(Server::default());
    let driven = Rc::clone(&server);
    let work = async move {
        let drive = async |function: &DeviceClient| match drive(function, &timer, &driven).await {
            Err(refused) => refused,
            Ok(never) => match never {},
        };
        format!("device: {}", each(&right, &timer, drive).await)
    };
    Ok((server, work))
}

/// Drives a device until it can not be driven any more. What comes from it goes with it: registers, interrupt, memory.
async fn drive(function: &DeviceClient, timer: &TimerClient, server: &Server) -> Result<Infallible, Refused> {
    let mut line = Line::new(function.interrupt_blocking(0)?);
    let window = function.window_blocking(BAR)?;
    let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
    // Where an address belongs, `buffer.token()` does; a `function.queue_blocking` takes descriptors that have it.
    let buffer = Buffer::allocate(&pool, 1)?;
    // It may reach memory from now on.
    start(function, timer).await?;
    let identification = window.read_blocking(IDENTIFICATION, WIDTH)?;
    // Only now: what a device says before the first of these nobody hears.
    line.arm().await?;
    window.write_blocking(RAISE, WIDTH, FIRST)?;
    loop {
        line.fired().await?;
        // First this, then the look: what happens in between fires it.
        line.arm().await?;
        let causes = window.read_blocking(CAUSES, WIDTH)?;
        window.write_blocking(ACKNOWLEDGE, WIDTH, causes)?;
        match causes {
            FIRST => window.write_blocking(RAISE, WIDTH, SECOND)?,
            SECOND => server.say(&format!(
                "{identification:#x} interrupts, and finds memory at {token:#x}\n",
                token = buffer.token()
            )),
            // Its line may be another device's, too.
            _ => {}
        }
    }
}

/// What the device did, for who reads it; nothing before it did something.
#[derive(Default)]
struct Server {
    said: RefCell<Option<Vec<u8>>>,
    more: Signal,
}

impl Server {
    fn say(&self, text: &str) {
        self.said.borrow_mut().get_or_insert_default().extend_from_slice(text.as_bytes());
        self.more.notify();
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        serve_byte_stream(&*self, request).await;
    }

    /// Who reads may have to wait for a device, perhaps for ever.
    fn may_wait(&self, _request: &Request) -> bool {
        self.said.borrow().is_none()
    }

    fn gone(&self, _badge: u64) {}
}

impl ByteStreamServer for Server {
    async fn read(&self, _cx: &CallContext, max: u32) -> Result<Vec<u8>, Exception> {
        loop {
            let more = self.more.wait();
            if let Some(said) = &mut *self.said.borrow_mut() {
                let count = said.len().min(max as usize);
                return match count {
                    0 => Err(ExceptionCode::EndOfStream.into()),
                    _ => Ok(said.drain(..count).collect()),
                };
            }
            more.await;
        }
    }

    async fn write(&self, _cx: &CallContext, _data: &[u8]) -> Result<(), Exception> {
        Err(Exception::new(ExceptionCode::Unsupported, "the device takes no bytes"))
    }
}
