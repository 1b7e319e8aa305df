//! Serving one client, by two threads: one takes requests as soon as they come and notes that, the other does them one after the other. So
//! the log shows what was still unanswered when a flush was asked for, and such is not durable by it.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::log::Record;
use crate::media::Media;
use crate::protocol::{self, Command, Refusal, Request};
use crate::trouble::Trouble;

/// How often it is looked whether what is withheld is to be answered, and whether the disk has no power.
const LOOK: Duration = Duration::from_millis(5);

/// The log, and what both threads know.
struct Book {
    log: BufWriter<File>,
    /// Records so far.
    records: u64,
    /// Writes that were answered.
    answered: u64,
}

impl Book {
    fn note(&mut self, record: &Record) -> io::Result<u64> {
        record.write(&mut self.log)?;
        self.records += 1;
        Ok(self.records - 1)
    }
}

type Shared = Arc<Mutex<Book>>;

fn locked(book: &Shared) -> std::sync::MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that was noted: by which record, and how many writes had been answered by then.
struct Taken {
    request: Request,
    number: Option<u64>,
    answered: u64,
}

/// A disk that is served to one client, from a file.
pub struct Server {
    book: Shared,
    thread: JoinHandle<io::Result<Media>>,
    socket: PathBuf,
}

impl Server {
    /// Serves the file `disk` to the first who connects to `socket`, and notes in the file `log` what happens.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub fn start(disk: &Path, socket: &Path, log: &Path) -> io::Result<Server> {
        let media = Media::open(disk)?;
        let mut book = Book { log: BufWriter::new(File::create(log)?), records: 0, answered: 0 };
        begin(&media, &mut book)?;
        let listener = UnixListener::bind(socket)?;
        let book = Arc::new(Mutex::new(book));
        let shared = book.clone();
        let trouble = Trouble::beside(disk);
        let thread = std::thread::spawn(move || serve(listener.accept()?.0, media, trouble, &shared));
        Ok(Server { book, thread, socket: socket.to_owned() })
    }

    /// For who notes what happens elsewhere.
    pub fn marker(&self) -> Marker {
        Marker(self.book.clone())
    }

    /// Ends when the client has left or was killed, or never came. If `chance` is there, which gives numbers below its argument, what was
    /// not durable may be lost, as by pulling the plug.
    ///
    /// # Errors
    /// When the disk or the log cannot be written.
    pub fn end(self, chance: Option<&mut dyn FnMut(u32) -> u32>) -> io::Result<()> {
        // Should nobody have come, this is who does.
        drop(UnixStream::connect(self.socket));
        let served = self.thread.join().map_err(|_| io::Error::other("a server gave up"))?;
        locked(&self.book).log.flush()?;
        let mut media = served?;
        chance.map_or(Ok(()), |chance| media.lose(chance))
    }
}

/// Notes in a log what happens elsewhere.
pub struct Marker(Shared);

impl Marker {
    /// Notes it.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn mark(&self, what: &[u8]) -> io::Result<()> {
        locked(&self.0).note(&Record::Mark(what.to_vec())).map(|_| ())
    }
}

/// Notes what was there before.
fn begin(media: &Media, book: &mut Book) -> io::Result<()> {
    const PIECE: u64 = 4096;
    book.note(&Record::Size(media.size()))?;
    for offset in (0..media.size()).step_by(PIECE as usize) {
        let bytes = media.read(offset, PIECE.min(media.size() - offset) as usize)?;
        if bytes.iter().any(|byte| *byte != 0) {
            book.note(&Record::Write(offset, bytes, true))?;
        }
    }
    book.note(&Record::Begun).map(|_| ())
}

fn serve(mut client: UnixStream, media: Media, trouble: Trouble, book: &Shared) -> io::Result<Media> {
    // Who leaves before it is served wants nothing.
    if !protocol::shake_hands(&mut client, media.size()).unwrap_or(false) {
        return Ok(media);
    }
    let (sender, taken) = mpsc::channel();
    let answers = client.try_clone()?;
    let shared = book.clone();
    let mut worker = Worker { client: answers, media, trouble, book: shared };
    let worker = std::thread::spawn(move || worker.work(&taken).map(|()| worker.media));
    // Whoever is killed leaves in the middle of something: that is no failure.
    let _ = take(&mut client, &sender, book);
    drop(sender);
    worker.join().map_err(|_| io::Error::other("a worker gave up"))?
}

/// Takes requests as they come, until the client leaves.
fn take(client: &mut UnixStream, sender: &Sender<Taken>, book: &Shared) -> io::Result<()> {
    while let Some(request) = protocol::request(client)? {
        let record = match &request.command {
            Command::Write(offset, bytes, durable) => Some(Record::Write(*offset, bytes.clone(), *durable)),
            Command::Zero(offset, length, durable) => {
                Some(Record::Write(*offset, vec![0; *length as usize], *durable))
            }
            Command::Trim(offset, length) => Some(Record::Trim(*offset, u64::from(*length))),
            Command::Flush => Some(Record::Flush),
            Command::Read(..) | Command::Unknown => None,
        };
        let mut book = locked(book);
        let number = record.map(|record| book.note(&record)).transpose()?;
        let taken = Taken { request, number, answered: book.answered };
        if sender.send(taken).is_err() {
            break;
        }
    }
    Ok(())
}

/// Does what was taken.
struct Worker {
    client: UnixStream,
    media: Media,
    trouble: Trouble,
    book: Shared,
}

impl Worker {
    /// Until the client leaves. What it never heard of is done then: that it was not answered does not say that it was not done.
    fn work(&mut self, requests: &Receiver<Taken>) -> io::Result<()> {
        let mut held: Vec<Taken> = Vec::new();
        loop {
            let taken = requests.recv_timeout(LOOK);
            if self.trouble.is_cut() {
                self.media.lose(|_| 0)?;
                self.trouble.end_cut()?;
            }
            match taken {
                Ok(taken) => held.push(taken),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return held.into_iter().try_for_each(|it| self.answer(it));
                }
            }
            let all = std::mem::take(&mut held);
            let (stays, goes) = all.into_iter().partition(|it| self.trouble.withholds(&it.request.command));
            held = stays;
            let goes: Vec<Taken> = goes;
            goes.into_iter().try_for_each(|it| self.answer(it))?;
        }
    }

    /// A client that does not hear the answer any more has left.
    fn answer(&mut self, Taken { request, number, answered }: Taken) -> io::Result<()> {
        let done = match self.trouble.fails(&request.command) {
            true => Err(Refusal::Io),
            false => carry_out(&mut self.media, request.command, answered),
        };
        let mut book = locked(&self.book);
        if done.is_ok()
            && let Some(number) = number
        {
            book.note(&Record::Done(number))?;
        }
        book.answered = self.media.done();
        // As above.
        let _ =
            protocol::reply(&mut self.client, request.cookie, done.as_deref().map_err(|refusal| *refusal));
        Ok(())
    }
}

fn carry_out(media: &mut Media, command: Command, answered: u64) -> Result<Vec<u8>, Refusal> {
    let (offset, length) = command.range();
    if command == Command::Unknown || !media.has(offset, length) {
        return Err(Refusal::Invalid);
    }
    let length = length as usize;
    let done = match command {
        Command::Read(..) => return media.read(offset, length).map_err(|_| Refusal::Io),
        Command::Write(_, bytes, durable) => media.write(offset, bytes, durable),
        Command::Zero(_, _, durable) => media.write(offset, vec![0; length], durable),
        Command::Trim(..) => media.trim(offset, length),
        Command::Flush | Command::Unknown => {
            media.flush(answered);
            Ok(())
        }
    };
    done.map(|()| Vec::new()).map_err(|_| Refusal::Io)
}
