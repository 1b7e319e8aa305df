//! The source of random bytes, and who feeds it.

use super::{User, World};
use crate::cap::Object;
use crate::cap::entropy_sink::EntropySink;
use crate::cap::entropy_source::EntropySource;
use capos_abi::{CapId, ExceptionCode};
use capos_schema::entropy_sink::{self as sink, FeedParams};
use capos_schema::entropy_source::{self as source, FedResults, FillParams, FillResults};
use capos_schema::{Decode, Empty};
use kernel_hal::EntropyError;
use kernel_hal::fake::entropy;
use std::vec::Vec;

struct Both {
    user: User,
    source: CapId,
    sink: CapId,
}

impl Both {
    fn new(world: &World) -> Self {
        let user = world.start("user");
        let source = user.hold(Object::EntropySource(EntropySource));
        let sink = user.hold(Object::EntropySink(EntropySink));
        Both { user, source, sink }
    }

    fn fill(&self) -> Result<Vec<u8>, ExceptionCode> {
        let params = FillParams { length: 64 };
        let cqe = self.user.call_raw(self.source, source::INTERFACE_ID, source::FILL, &params, 0);
        if cqe.flags != 0 {
            return Err(ExceptionCode::from_code(cqe.method));
        }
        let answer = self.user.get(super::REPLY, cqe.result as usize);
        Ok(FillResults::decode(&answer).expect("well formed").data.to_vec())
    }

    fn feed(&self, data: &[u8]) -> Result<(), ExceptionCode> {
        let cqe = self.user.call_raw(self.sink, sink::INTERFACE_ID, sink::FEED, &FeedParams { data }, 0);
        if cqe.flags == 0 { Ok(()) } else { Err(ExceptionCode::from_code(cqe.method)) }
    }

    fn fed(&self) -> u64 {
        let fed = self.user.call(self.source, source::INTERFACE_ID, source::FED, &Empty);
        fed.map(|FedResults { times }| times).expect("it always answers")
    }
}

#[test]
fn a_feed_is_whole_and_counts_or_is_refused() {
    let world = World::new();
    let both = Both::new(&world);
    let before = both.fed();
    for length in [0, 1, 63, 65, 1024] {
        let data = std::vec![1; length];
        assert_eq!(both.feed(&data), Err(ExceptionCode::InvalidArgument), "{length} bytes");
    }
    assert_eq!(both.fed(), before);
    assert_eq!((both.feed(&[0; 64]), both.feed(&[0; 64])), (Ok(()), Ok(())));
    assert_eq!(both.fed(), before + 2);
}

/// The processor gives the same bytes each time here: what differs is the mask.
#[test]
fn what_the_processor_gives_leaves_under_a_mask() {
    let world = World::new();
    let both = Both::new(&world);
    let mut bare = [0; 64];
    kernel_hal::entropy::fill(&mut bare).expect("it works");
    let mut seen = Vec::from([bare.to_vec()]);
    for feed in [None, None, Some([0; 64]), Some([0; 64]), Some([9; 64])] {
        feed.map_or(Ok(()), |feed| both.feed(&feed)).expect("whole");
        let filled = both.fill().expect("it works");
        assert!(!seen.contains(&filled), "again after {feed:?}");
        seen.push(filled);
    }
}

#[test]
fn nothing_that_is_fed_makes_up_for_the_processor() {
    let world = World::new();
    let both = Both::new(&world);
    for (why, code) in [
        (EntropyError::Absent, ExceptionCode::Unsupported),
        (EntropyError::Unhealthy, ExceptionCode::DeviceFault),
    ] {
        entropy::fail(Some(why));
        assert_eq!(both.fill(), Err(code));
        assert_eq!(both.feed(&[0xa5; 64]), Ok(()), "it is for later");
        assert_eq!(both.fill(), Err(code));
    }
    entropy::fail(None);
    assert!(both.fill().is_ok());
}
