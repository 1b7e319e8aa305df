//! All of a network driver but the device: who has its session.

use super::Description;
use super::engine::Bits;
use super::session::{Place, State};
use crate::facets::Facets;
use crate::service::Handler;
use alloc::rc::Rc;
use core::cell::RefCell;
use rt::generated::nic::{NicServer, OpenAnswer, serve_nic};
use rt::generated::nic_session::{NicSessionServer, serve_nic_session};
use rt::generated::{AlarmClient, MemoryObjectClient, NicSessionClient, SignallerClient, TimerClient};
use rt::listener::Listener;
use rt::schema::nic::{IdentityResults, InfoResults, LinkResults, StatisticsResults};
use rt::{CallContext, CallError, Exception, ExceptionCode, Request, Signal};

/// Sessions that somebody holds, nearly all of them over.
const FACETS: usize = 64;

/// A driver's service: its export is `Nic`.
pub struct Server {
    pub(super) state: RefCell<State>,
    pub(super) listener: Listener,
    pub(super) timer: Rc<TimerClient>,
    pub(super) alarm: AlarmClient,
    /// There is a device now, or its link has changed, or it was told what to listen to.
    pub(super) there: Signal,
    facets: Facets<Place>,
}

impl Server {
    /// Without a device.
    pub fn new(timer: Rc<TimerClient>) -> Result<Server, CallError> {
        let listener = Listener::new()?;
        let alarm = timer.alarm_blocking(listener.signaller(Bits::ALARM, 0)?)?;
        let (state, facets) = (RefCell::new(State::new()), Facets::new(FACETS, FACETS));
        Ok(Server { state, listener, timer, alarm, there: Signal::new(), facets })
    }

    /// What the device's interrupts are to be bound to.
    pub fn interrupts(&self) -> Result<SignallerClient, CallError> {
        self.listener.signaller(Bits::INTERRUPT, 0)
    }

    /// The same for those by which it tells only that it is not what it was.
    pub fn changes(&self) -> Result<SignallerClient, CallError> {
        self.listener.signaller(Bits::CHANGED, 0)
    }

    /// Waits for what the state says of something, which is looked at whenever it has changed.
    async fn when<T>(&self, look: impl Fn(&mut State) -> Option<T>) -> T {
        loop {
            let there = self.there.wait();
            let found = look(&mut self.state.borrow_mut());
            match found {
                Some(found) => return found,
                None => there.await,
            }
        }
    }

    /// The device, as soon as there is one.
    async fn description(&self) -> Description {
        self.when(|state| state.device().copied()).await
    }

    /// Has who drives the device look at what there is to do, though nothing rang.
    fn wake(&self) -> Result<(), Exception> {
        self.alarm.set_blocking(0).map_err(|error| error.handed_on())
    }

    fn session(&self, cx: &CallContext) -> Result<Place, Exception> {
        self.facets.find(cx.badge())?.ok_or_else(|| ExceptionCode::Unsupported.into())
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        match self.facets.find(request.context().badge()) {
            Ok(None) => serve_nic(&*self, request).await,
            Ok(Some(_)) => serve_nic_session(&*self, request).await,
            Err(exception) => request.fail(exception),
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        true
    }

    fn gone(&self, badge: u64) {
        if let Some(place) = self.facets.gone(badge)
            && self.state.borrow_mut().close(place)
        {
            // Who drives the device may be asleep. If that can not be told it sees it with whatever comes next.
            let _ = self.wake();
        }
    }
}

impl NicServer for Server {
    async fn info(&self, _cx: &CallContext) -> Result<InfoResults, Exception> {
        let Description { mac, card, depth, .. } = self.description().await;
        let capos_nic::Offloads { checksum, segments_v4, segments_v6, checked, merged } = card.offloads;
        let (mtu, least, depth) = (card.mtu, card.least, depth.into());
        Ok(InfoResults { mac, mtu, least, depth, checksum, segments_v4, segments_v6, checked, merged })
    }

    async fn identity(&self, _cx: &CallContext) -> Result<IdentityResults, Exception> {
        let Description { address, arrival, .. } = self.description().await;
        Ok(IdentityResults { address, arrival })
    }

    async fn link(&self, _cx: &CallContext, seen: u32) -> Result<LinkResults, Exception> {
        let changed = |state: &mut State| Some(state.link()).filter(|(changes, _)| *changes != seen);
        let (changes, link) = self.when(changed).await;
        Ok(LinkResults { changes, up: link.is_up, mbits: link.mbits })
    }

    async fn statistics(&self, _cx: &CallContext) -> Result<StatisticsResults, Exception> {
        Ok(self.state.borrow().counters())
    }

    async fn open(
        &self,
        cx: &CallContext,
        memory: MemoryObjectClient,
        doorbell: SignallerClient,
        entries: u32,
    ) -> Result<OpenAnswer, Exception> {
        self.description().await;
        // Of a session that is over the device is still to be reset.
        self.when(|state| (!state.is_over()).then_some(())).await;
        let opened = self.state.borrow_mut().open(&memory, entries, doorbell);
        let place = opened.map_err(|error| error.handed_on())?;
        let bell = self.listener.signaller(Bits::ring(place.index), Bits::lost(place.index));
        if bell.is_ok() {
            self.state.borrow_mut().gave_doorbell(place);
        }
        let bell = bell.map_err(|error| error.handed_on());
        let session: Result<NicSessionClient, _> = self.facets.mint(cx, place);
        match bell.and_then(|bell| Ok((bell, session?))) {
            Ok((doorbell, session)) => Ok(OpenAnswer { session: session.into(), doorbell: doorbell.into() }),
            Err(refused) => {
                self.state.borrow_mut().close(place);
                Err(refused)
            }
        }
    }
}

impl NicSessionServer for Server {
    async fn attach(&self, cx: &CallContext, memory: MemoryObjectClient) -> Result<u16, Exception> {
        let place = self.session(cx)?;
        let size = memory.info().await.map_err(|error| error.handed_on())?.size;
        let attached = self.state.borrow_mut().attach(place, memory, size);
        attached.map_err(|error| error.handed_on())
    }

    async fn detach(&self, cx: &CallContext, buffer: u16) -> Result<(), Exception> {
        let place = self.session(cx)?;
        let detached = self.state.borrow_mut().detach(place, buffer);
        detached.map_err(|error| error.handed_on())
    }

    async fn listen(&self, cx: &CallContext, promiscuous: bool, multicast: bool) -> Result<(), Exception> {
        let place = self.session(cx)?;
        let begun = self.state.borrow_mut().listen(place, promiscuous, multicast);
        begun.map_err(|error| error.handed_on())?;
        self.wake()?;
        let answered = |state: &mut State| state.chooses(place).transpose();
        let chooses = self.when(answered).await.map_err(|error| error.handed_on())?;
        if chooses { Ok(()) } else { Err(ExceptionCode::Unsupported.into()) }
    }
}
