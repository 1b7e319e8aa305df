//! Somebody follows a name while it is taken away: either comes first.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::map::Map;
use super::{NOW, ROOT, crash, file, fresh, read, run, sound};
use crate::{Creation, Error, Fs, Kind, ObjectId, Path};

const DATA: &[u8] = b"still there";

/// How the last name goes.
#[derive(Clone, Copy, Debug)]
enum End {
    Remove,
    Rename,
    Bind,
    Collect,
}

/// A file or blob on a volume of which nothing is in memory; for a blob its hash.
fn volume(end: End) -> (Fs<Map>, [u8; 32]) {
    let fs = fresh();
    let mut hash = [0; 32];
    if matches!(end, End::Collect) {
        let (blob, of) = run(fs.put_blob(DATA, NOW)).unwrap();
        run(fs.release(blob));
        hash = of;
    } else {
        file(&fs, ROOT, "name", DATA);
        file(&fs, ROOT, "other", DATA);
    }
    run(fs.sync(fs.epoch())).unwrap();
    (crash(fs), hash)
}

async fn take_away(fs: &Fs<Map>, end: End) -> Result<(), Error> {
    let path = |name| Path { directory: ROOT, name };
    match end {
        End::Remove => fs.remove(ROOT, b"name", NOW).await,
        End::Rename => fs.rename(path(b"other"), path(b"name"), true, NOW).await,
        End::Bind => {
            let other = fs.lookup(ROOT, b"other").await?.object;
            fs.bind(ROOT, b"name", other, true, NOW).await
        }
        End::Collect => fs.collect().await.map(drop),
    }
}

async fn follow(fs: &Fs<Map>, end: End, hash: &[u8; 32]) -> Result<ObjectId, Error> {
    match end {
        End::Collect => fs.get_blob(hash).await,
        _ => fs.open(ROOT, b"name", Kind::File, Creation::Existing, NOW).await.map(|entry| entry.object),
    }
}

/// One of two that are under way at once, and what it answered.
struct Step<F: Future>(F, Option<F::Output>);

impl<F: Future + Unpin> Step<F> {
    /// Goes on by so many steps; true when it is over.
    fn go(&mut self, steps: u32) -> bool {
        for _ in 0..steps {
            if self.1.is_none()
                && let Poll::Ready(done) = pin!(&mut self.0).poll(&mut Context::from_waker(Waker::noop()))
            {
                self.1 = Some(done);
            }
        }
        self.1.is_some()
    }
}

/// After so many steps of the one the other begins, with so many for each of its. Tells whether it was followed to something; none when the first was
/// over before.
fn race(end: End, follower_first: bool, steps: u32, speed: u32) -> Option<bool> {
    let (fs, hash) = volume(end);
    fs.volume().slow.set(true);
    let found = {
        let mut taken = Step(pin!(take_away(&fs, end)), None);
        let mut followed = Step(pin!(follow(&fs, end, &hash)), None);
        let is_over = if follower_first { followed.go(steps) } else { taken.go(steps) };
        if is_over {
            return None;
        }
        let (takes, goes) = if follower_first { (speed, 1) } else { (1, speed) };
        while !(taken.go(takes) & followed.go(goes)) {}
        assert_eq!(taken.1, Some(Ok(())));
        followed.1?
    };
    fs.volume().slow.set(false);
    if let Ok(id) = found {
        assert_eq!(read(&fs, id), DATA, "{end:?} {follower_first} {steps} {speed}");
        let named = run(fs.bind(ROOT, b"kept", id, false, NOW));
        assert!(named.is_ok() || !matches!(end, End::Collect), "{end:?} {follower_first} {steps} {speed}");
        run(fs.release(id));
    }
    sound(&fs);
    Some(found.is_ok())
}

#[test]
fn what_was_followed_stays_until_it_is_released() {
    for end in [End::Remove, End::Rename, End::Bind, End::Collect] {
        for (follower_first, speed) in
            [(true, 1), (true, 4), (true, 100), (false, 1), (false, 4), (false, 100)]
        {
            let found = (0..).map_while(|steps| race(end, follower_first, steps, speed));
            let count = found.filter(|found| *found).count();
            assert!(count > 0, "{end:?} {follower_first} {speed}");
        }
    }
}
