//! The lab's end of a wire: two sockets of datagrams for one of frames, QEMU's own end and ours, and threads that carry frames.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::book::Book;

/// How often a thread that waits looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);
/// More than the longest frame.
const LONGEST: usize = 1 << 17;

/// Where the ends of a wire are.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The lab's.
    pub lab: PathBuf,
    /// QEMU's, of the guest's device.
    pub guest: PathBuf,
    /// QEMU's, of who is at the other end, if not the lab itself.
    pub far: Option<PathBuf>,
}

/// Who carries frames; ends when dropped.
pub struct Peer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    start: Instant,
}

struct State {
    book: Book,
    is_over: bool,
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, due: Option<Duration>) -> MutexGuard<'a, State> {
        let left = due.map_or(LOOK, |due| due.saturating_sub(self.start.elapsed()).min(LOOK));
        let waited = self.changed.wait_timeout(state, left);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Peer {
    /// Takes frames from now on. QEMU makes its own ends.
    ///
    /// # Errors
    /// When there is no socket.
    pub fn start(ends: &Ends, book: Book) -> io::Result<Peer> {
        let socket = UnixDatagram::bind(&ends.lab)?;
        socket.set_read_timeout(Some(LOOK))?;
        let state = Mutex::new(State { book, is_over: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), start: Instant::now() });
        let (to_guest, to_far) = (way_out()?, way_out()?);
        let (listener, guest, far) = (shared.clone(), shared.clone(), shared.clone());
        let (guest_end, far_end) = (ends.guest.clone(), ends.far.clone());
        let from = ends.guest.clone();
        let threads = vec![
            thread::spawn(move || listen(&listener, &socket, &from)),
            thread::spawn(move || serve_guest(&guest, &to_guest, &guest_end)),
            thread::spawn(move || serve_far(&far, &to_far, far_end.as_deref())),
        ];
        Ok(Peer { shared, threads })
    }

    /// Asks it something, or has it begin something.
    pub fn with<T>(&self, what: impl FnOnce(&mut Book) -> T) -> T {
        let answer = what(&mut self.shared.locked().book);
        self.shared.changed.notify_all();
        answer
    }

    /// Whether all that was begun is done.
    pub fn is_done(&self) -> bool {
        self.with(|book| book.is_done(self.shared.start.elapsed()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.locked().is_over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Who gave up has said so already.
            let _ = thread.join();
        }
    }
}

fn way_out() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(LOOK))?;
    Ok(socket)
}

/// Takes what QEMU sends. What there is no room for stays there.
fn listen(shared: &Shared, socket: &UnixDatagram, guest: &Path) {
    let mut buffer = vec![0; LONGEST];
    loop {
        let mut state = shared.locked();
        while !state.is_over && !state.book.has_room() {
            state = shared.wait(state, None);
        }
        if state.is_over {
            return;
        }
        drop(state);
        // Nothing came, or nobody is there any more: it is looked again.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let frame = buffer.get(..length).unwrap_or_default().to_vec();
        let now = shared.start.elapsed();
        let mut state = shared.locked();
        match from.as_pathname() == Some(guest) {
            true => state.book.guest_sent(frame, now),
            false => state.book.far_sent(frame, now),
        }
        drop(state);
        shared.changed.notify_all();
    }
}

fn serve_guest(shared: &Shared, socket: &UnixDatagram, end: &Path) {
    let mut state = shared.locked();
    while !state.is_over {
        let Some(frame) = state.book.next_for_guest(shared.start.elapsed()) else {
            let due = state.book.due_for_guest();
            state = shared.wait(state, due);
            continue;
        };
        drop(state);
        let is_taken = deliver(shared, socket, end, &frame);
        state = shared.locked();
        state.book.delivered(is_taken);
    }
}

fn serve_far(shared: &Shared, socket: &UnixDatagram, end: Option<&Path>) {
    let mut state = shared.locked();
    while !state.is_over {
        let next = state.book.next_for_far(shared.start.elapsed());
        // There may be answers now, and room.
        shared.changed.notify_all();
        match (next, end) {
            (None, _) => {
                let due = state.book.due_for_far();
                state = shared.wait(state, due);
            }
            (Some(_), None) => {}
            (Some(frame), Some(end)) => {
                drop(state);
                deliver(shared, socket, end, &frame);
                state = shared.locked();
            }
        }
    }
}

/// Gives it to QEMU, waiting as long as that does not take it. Whether it did.
fn deliver(shared: &Shared, socket: &UnixDatagram, end: &Path, frame: &[u8]) -> bool {
    loop {
        match socket.send_to(frame, end) {
            Ok(_) => return true,
            Err(error) if is_busy(&error) => {
                if shared.locked().is_over {
                    return false;
                }
            }
            Err(_) => {
                // No machine is there. Who sends all the time is not to spin.
                thread::sleep(Duration::from_millis(1));
                return false;
            }
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::book::Job;
    use crate::wire::frames;
    use crate::wire::hex::{Template, bytes};
    use crate::wire::trouble::Trouble;

    /// What stands for QEMU: its ends of the sockets.
    struct Qemu {
        folder: PathBuf,
        ends: Ends,
        guest: UnixDatagram,
        far: UnixDatagram,
    }

    impl Qemu {
        fn new(name: &str) -> Qemu {
            let folder = std::env::temp_dir().join(format!("capos-lab-wire-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let [lab, guest, far] = ["lab", "nic", "far"].map(|end| folder.join(end));
            let bind = |path: &PathBuf| {
                let socket = UnixDatagram::bind(path).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                socket
            };
            let sockets = (bind(&guest), bind(&far));
            Qemu { ends: Ends { lab, guest, far: Some(far) }, folder, guest: sockets.0, far: sockets.1 }
        }

        fn peer(&self, trouble: Trouble) -> Peer {
            Peer::start(&self.ends, Book::new(trouble, 1)).unwrap()
        }

        fn receive(socket: &UnixDatagram) -> Vec<u8> {
            let mut buffer = vec![0; LONGEST];
            let length = socket.recv(&mut buffer).unwrap();
            buffer.truncate(length);
            buffer
        }
    }

    impl Drop for Qemu {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }

    const GUEST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

    fn is_soon(mut what: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if what() {
                return true;
            }
            thread::sleep(Duration::from_millis(2));
        }
        false
    }

    #[test]
    fn frames_go_through_the_lab_both_ways_with_their_boundaries() {
        let qemu = Qemu::new("through");
        let peer = qemu.peer(Trouble::default());
        for length in [14, 60, 1514, 65_550] {
            let frame = vec![7; length];
            qemu.guest.send_to(&frame, &qemu.ends.lab).unwrap();
            assert!(Qemu::receive(&qemu.far) == frame, "{length}");
            qemu.far.send_to(&frame, &qemu.ends.lab).unwrap();
            assert!(Qemu::receive(&qemu.guest) == frame, "{length}");
        }
        // A frame counts a moment after it has arrived.
        let told = || peer.with(|book| book.tell("n0"));
        assert!(is_soon(|| told().contains(r#""from_guest":4,"to_guest":4"#)), "{}", told());
    }

    #[test]
    fn a_guest_that_answers_well_is_done_and_what_it_asks_is_answered() {
        let qemu = Qemu::new("echo");
        let peer = qemu.peer(Trouble { doubled: 100, swapped: 100, lost: 100, ..Trouble::default() });
        peer.with(|book| book.begin(Job::Echo(500)));
        qemu.guest.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut buffer = vec![0; LONGEST];
        assert!(is_soon(|| {
            if let Ok(length) = qemu.guest.recv(&mut buffer) {
                let answer = frames::answer(&buffer[..length], GUEST).unwrap();
                qemu.guest.send_to(&answer, &qemu.ends.lab).unwrap();
            }
            peer.is_done()
        }));
        assert_eq!(peer.with(|book| book.verdict()), Ok(()));
        drop(peer);
        let _peer = qemu.peer_again();
        let ask = frames::ask(&mut capos_mutate::Rng::new(1), frames::ALL, 1);
        qemu.guest.send_to(&ask, &qemu.ends.lab).unwrap();
        assert!(Qemu::receive(&qemu.guest) == frames::answer(&ask, frames::LAB).unwrap());
    }

    impl Qemu {
        fn peer_again(&self) -> Peer {
            std::fs::remove_file(&self.ends.lab).unwrap();
            self.peer(Trouble::default())
        }
    }

    #[test]
    fn frames_of_the_guest_are_seen() {
        let qemu = Qemu::new("seen");
        let peer = qemu.peer(Trouble { lost: 1000, ..Trouble::default() });
        let arp = Template::parse(&[("12".to_owned(), "0806".to_owned())].into()).unwrap();
        assert!(!peer.with(|book| book.has_seen(&arp)));
        qemu.guest.send_to(&bytes("ff*6 525400000001 0806 00*46").unwrap(), &qemu.ends.lab).unwrap();
        assert!(is_soon(|| peer.with(|book| book.has_seen(&arp))), "also what is lost after that");
    }

    #[test]
    fn a_guest_that_takes_nothing_keeps_nobody_from_ending() {
        let qemu = Qemu::new("stuck");
        let peer = qemu.peer(Trouble::default());
        peer.with(|book| book.begin(Job::Flood(100_000)));
        thread::sleep(Duration::from_millis(50));
        assert!(!peer.is_done());
        let start = Instant::now();
        drop(peer);
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn without_a_machine_frames_are_dropped() {
        let qemu = Qemu::new("nobody");
        let peer = qemu.peer(Trouble::default());
        std::fs::remove_file(&qemu.ends.guest).unwrap();
        peer.with(|book| book.send(vec![0; 60]));
        assert!(is_soon(|| peer.is_done()));
        assert!(peer.with(|book| book.tell("n0")).contains(r#""dropped":1"#));
    }
}
