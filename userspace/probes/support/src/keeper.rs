//! Who hands devices to drivers.

use crate::child::Child;
use crate::{Audit, Fields, Limits, Nursery, Report, factory};
use alloc::string::String;
use core::cell::RefCell;
use rt::generated::device_claim::{DeviceClaimServer, serve_device_claim};
use rt::generated::{
    DeviceClaimClient, DeviceClient, DeviceManagerClient, EndpointClient, LogSinkClient, ProcessHandleClient,
};
use rt::schema::device_manager::DmaBackend;
use rt::serve::{Event, Receiver};
use rt::{CallContext, CallError, Cap, Client, Env, EnvError, Exception, ExceptionCode, Outgoing, block_on};

/// Time between two looks at a device that is not free yet, and how many there are: QEMU's `edu` finishes what it has begun.
const PAUSE_NS: u64 = 5_000_000;
const LOOKS: u32 = 400;

/// The interrupt line register (PCI 3.0, 6.2.4): nothing looks at it.
const SIGN: u16 = 0x3c;

/// What a driver may use.
const LIMITS: Limits = Limits { dma_pages: 16, vectors: 1, ..Limits::threads(1) };

/// A driver at work, and its one export.
pub struct Driver<C> {
    /// The process.
    pub handle: ProcessHandleClient,
    /// What it exports.
    pub client: C,
}

/// A driver that does not run yet, and the device that it is to have.
pub struct Unborn<C> {
    child: Child,
    claims: EndpointClient,
    device: DeviceClient,
    client: C,
}

impl<C> Unborn<C> {
    /// The process, which has done nothing so far.
    pub fn handle(&self) -> &ProcessHandleClient {
        self.child.handle()
    }

    /// Lets it run, and hands it the device when it asks for one, unless it ends before.
    pub async fn start(self) -> Result<Driver<C>, CallError> {
        let Unborn { child, claims, device, client } = self;
        let handle = child.start()?;
        hand_over(claims, device).await?;
        Ok(Driver { handle, client })
    }
}

/// The manager of devices, and what drivers are made with.
pub struct Keeper {
    /// Makes processes.
    pub nursery: Nursery,
    /// The kernel's ledger.
    pub devices: DeviceManagerClient,
    /// Counts, and the clock.
    pub audit: Audit,
    log: LogSinkClient,
}

impl Keeper {
    /// From the capabilities granted as `devices`, `log`, and what those of [`Nursery`] and [`Audit`] are.
    pub fn new(env: &mut Env) -> Result<Keeper, EnvError> {
        let nursery = Nursery::new(env)?;
        let (devices, audit, log) = (env.client("devices")?, Audit::new(env)?, env.client("log")?);
        Ok(Keeper { nursery, devices, audit, log })
    }

    /// The first function of this vendor and device.
    pub fn find(&self, wanted: (u16, u16)) -> Result<u32, CallError> {
        self.find_after(wanted, 0)
    }

    /// The first from `cursor` on.
    pub fn find_after(&self, wanted: (u16, u16), cursor: u32) -> Result<u32, CallError> {
        find(&self.devices, wanted, cursor)
    }

    /// The function, as soon as it is free.
    pub fn claim(&self, wanted: (u16, u16), policy: &str) -> Result<DeviceClient, CallError> {
        self.claim_at(self.find(wanted)?, policy)
    }

    /// The same for the one at this address.
    pub fn claim_at(&self, address: u32, policy: &str) -> Result<DeviceClient, CallError> {
        block_on(self.claim_when_free(address, policy))
    }

    /// The same, while others have their turn.
    pub async fn claim_when_free(&self, address: u32, policy: &str) -> Result<DeviceClient, CallError> {
        let timer = self.audit.timer();
        for _ in 0..LOOKS {
            match self.devices.claim(address, policy, 1).await {
                Err(error)
                    if [Some(ExceptionCode::WrongState), Some(ExceptionCode::Exists)]
                        .contains(&error.exception()) =>
                {
                    self.devices.settle(address).await?;
                }
                other => return other,
            }
            timer.sleep_until(timer.now_blocking()?.saturating_add(PAUSE_NS)).await?;
        }
        self.devices.claim(address, policy, 1).await
    }

    /// Starts a driver with its device.
    pub fn start<C: Client>(
        &self,
        program: &str,
        wanted: (u16, u16),
        policy: &str,
    ) -> Result<Driver<C>, CallError> {
        block_on(self.unborn(program, self.claim(wanted, policy)?)?.start())
    }

    /// Makes a driver for this device.
    pub fn unborn<C: Client>(&self, program: &str, device: DeviceClient) -> Result<Unborn<C>, CallError> {
        let endpoint = factory().create_blocking(8)?;
        let facet: Cap = endpoint.mint_blocking(1, C::ID)?;
        let child = self.nursery.child(&self.nursery.program(program)?, &LIMITS, program)?;
        let child = child.lend("timer", self.audit.timer())?.lend("log", &self.log)?;
        let child = child.give("serve", EndpointClient::ID, endpoint)?;
        let claims = factory().create_blocking(1)?;
        let right: Cap = claims.mint_blocking(1, DeviceClaimClient::ID)?;
        let child = child.give("device", DeviceClaimClient::ID, right)?;
        Ok(Unborn { child, claims, device, client: C::from(facet) })
    }

    /// Tells who watches memory from outside, and waits until he has looked `count` times: he counts in a byte of the configuration space
    /// of the device for teaching at this address, which nobody else writes. It is free.
    pub fn await_watcher(
        &self,
        report: &Report,
        event: &str,
        address: u32,
        count: u32,
    ) -> Result<(), CallError> {
        let device = self.claim_at(address, "edu")?;
        report.event(event, Fields::new());
        while device.config_blocking(SIGN, 1)? != count {
            self.audit.pause(1_000_000);
        }
        Ok(())
    }

    /// How it reaches memory.
    pub fn backend(&self, wanted: (u16, u16)) -> Result<DmaBackend, CallError> {
        self.devices.list_blocking(self.find(wanted)?).map(|found| found.backend)
    }

    /// Waits until nothing is kept for this device any more; somebody has to ask for that.
    pub fn rest(&self, wanted: (u16, u16)) -> Result<(), CallError> {
        self.rest_at(self.find(wanted)?)
    }

    /// The same for the one at this address.
    pub fn rest_at(&self, address: u32) -> Result<(), CallError> {
        for _ in 0..LOOKS {
            if self.devices.settle_blocking(address)? {
                break;
            }
            self.audit.pause(PAUSE_NS);
        }
        Ok(())
    }

    /// What the ledger finds wrong with itself.
    pub fn wrong(&self) -> Result<String, CallError> {
        let (mut cursor, mut wrong) = (0, String::new());
        loop {
            let found = match self.devices.audit_blocking(cursor) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(wrong),
                other => other?,
            };
            wrong.push_str(&found.wrong);
            cursor = found.next;
        }
    }
}

/// The first function of this vendor and device from `cursor` on.
pub fn find(devices: &DeviceManagerClient, wanted: (u16, u16), mut cursor: u32) -> Result<u32, CallError> {
    loop {
        let found = devices.list_blocking(cursor)?;
        if (found.vendor, found.device) == wanted {
            return Ok(found.address);
        }
        cursor = found.next;
    }
}

/// Answers a driver's one claim, in place of the device manager. A driver that has ended makes none.
async fn hand_over(claims: EndpointClient, device: DeviceClient) -> Result<(), CallError> {
    let mut receiver = Receiver::new(claims.into_cap(), 1);
    let once = Once(RefCell::new(Some(device)));
    if let Event::Call(request) = receiver.next().await? {
        serve_device_claim(&once, request).await;
    }
    Ok(())
}

struct Once(RefCell<Option<DeviceClient>>);

impl DeviceClaimServer for Once {
    async fn claim(&self, _cx: &CallContext, _wait: bool) -> Result<Outgoing, Exception> {
        Ok(self.0.take().ok_or(ExceptionCode::NotFound)?.into())
    }
}
