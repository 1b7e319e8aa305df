//! What the lab's end of a wire knows and does next. No IO and no clock: the threads of `peer` carry frames in and out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use capos_mutate::Rng;
use serde::Serialize;

use super::frames::{self, ANSWER, ASK};
use super::hex::{self, Template};
use super::trouble::{Happened, Lane, Trouble, changed};

/// Frames of the guest that a step can still wait for.
const REMEMBERED: usize = 4096;
/// Frames that floods are made of: the last ones that went over the wire.
const MODELS: usize = 64;
/// Frames under way in one direction. More of the guest's stay in QEMU; more for the guest are lost, as any network loses them.
pub const UNDER_WAY: usize = 4096;
/// Frames that the guest owes an answer to, at the same time: less than any card has buffers.
const OWED: u64 = 32;
/// After so long nobody waits for an answer any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a step has the lab send.
#[derive(Clone, Debug)]
pub enum Job {
    /// So many frames that the guest has to answer.
    Echo(u32),
    /// So many that are almost frames.
    Flood(u32),
}

/// Figures of a wire, as a session sees them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Frames that the guest sent.
    pub from_guest: u64,
    /// That its device was given.
    pub to_guest: u64,
    /// That the guest wanted answers to, which it was sent.
    pub asked: u64,
    /// Answers of the guest, each the right one.
    pub answered: u64,
    /// Those that have not come.
    pub owed: u64,
    /// Those that were given up, as a step allowed.
    pub forgiven: u64,
    /// Answers of the guest that nobody asked for: changed, too many, with a wrong address.
    pub wrong: u64,
    /// Frames that nobody took: there were too many, or there was no machine.
    pub dropped: u64,
}

/// One answer that is owed, so many times, and since when.
#[derive(Clone, Copy, Default)]
struct Debt {
    count: u64,
    since: Duration,
}

/// It.
pub struct Book {
    rng: Rng,
    to_guest: Lane,
    from_guest: Lane,
    /// Exactly as they are, before all others.
    scripted: VecDeque<Vec<u8>>,
    job: Option<Job>,
    asked: u32,
    /// Answers that the guest owes, with the guest's address if it was asked by that, else with none.
    owed: HashMap<Vec<u8>, Debt>,
    /// Those that may still come, or not.
    forgiven: HashSet<Vec<u8>>,
    /// The first wrong one.
    wrong: Option<Vec<u8>>,
    seen: VecDeque<Vec<u8>>,
    models: VecDeque<Vec<u8>>,
    guest: Option<[u8; 6]>,
    tally: Tally,
    /// Frames that a thread is about to deliver.
    pub in_hand: usize,
}

impl Book {
    /// Of a wire where nothing has happened yet.
    pub fn new(trouble: Trouble, seed: u64) -> Book {
        let lane = |number| Lane::new(trouble, seed ^ number);
        Book {
            rng: Rng::new(seed),
            to_guest: lane(1),
            from_guest: lane(2),
            scripted: VecDeque::new(),
            job: None,
            asked: 0,
            owed: HashMap::new(),
            forgiven: HashSet::new(),
            wrong: None,
            seen: VecDeque::new(),
            models: VecDeque::new(),
            guest: None,
            tally: Tally::default(),
            in_hand: 0,
        }
    }

    /// Begins something, after what was begun before.
    pub fn begin(&mut self, job: Job) {
        self.job = Some(job);
    }

    /// Sends a frame as it is.
    pub fn send(&mut self, frame: Vec<u8>) {
        self.scripted.push_back(frame);
    }

    /// Whether all that was begun is done, and no answer is waited for.
    pub fn is_done(&self, now: Duration) -> bool {
        let still = self.job.is_some() || self.in_hand > 0 || self.waited_for(now) > 0;
        !still && self.scripted.is_empty() && self.to_guest.len() == 0
    }

    /// Answers that may come any time.
    fn waited_for(&self, now: Duration) -> u64 {
        let young = self.owed.values().filter(|debt| now < debt.since + PATIENCE);
        young.map(|debt| debt.count).sum()
    }

    /// Gives up what the guest owes, if that is not more than `most`.
    pub fn forgive(&mut self, most: u64) -> Result<(), String> {
        let owed = self.tally.owed;
        if owed > most {
            return Err(format!("{owed} frames were not answered"));
        }
        self.forgiven.extend(self.owed.drain().map(|(answer, _)| answer));
        self.tally.forgiven += owed;
        self.tally.owed = 0;
        Ok(())
    }

    /// Whether the guest sent such a frame since the last time; that one and those before are passed.
    pub fn has_seen(&mut self, template: &Template) -> bool {
        let found = self.seen.iter().position(|frame| template.fits(frame));
        found.is_some_and(|at| self.seen.drain(..=at).count() > 0)
    }

    /// What happened so far, in one line.
    pub fn tell(&self, wire: &str) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            wire: &'a str,
            #[serde(flatten)]
            tally: &'a Tally,
            #[serde(flatten)]
            happened: Happened,
        }
        let (to, from) = (self.to_guest.happened, self.from_guest.happened);
        let happened = Happened {
            lost: to.lost + from.lost,
            doubled: to.doubled + from.doubled,
            swapped: to.swapped + from.swapped,
            changed: to.changed + from.changed,
        };
        serde_json::to_string(&Line { wire, tally: &self.tally, happened }).unwrap_or_default()
    }

    /// What the guest did that is wrong, whatever else it did.
    pub fn verdict(&self) -> Result<(), String> {
        match &self.wrong {
            None => Ok(()),
            Some(first) => {
                let (wrong, first) = (self.tally.wrong, hex::text(first));
                Err(format!("{wrong} answers of the guest are not what it was asked; the first: {first}"))
            }
        }
    }

    /// Whether more of the guest's frames can be taken now.
    pub fn has_room(&self) -> bool {
        self.from_guest.len() < UNDER_WAY
    }

    /// The guest sent that.
    pub fn guest_sent(&mut self, frame: Vec<u8>, now: Duration) {
        self.tally.from_guest += 1;
        if let Some(source) = frames::source(&frame).filter(|source| frames::is_station(*source)) {
            self.guest = Some(source);
        }
        // Seen here, what it did is known whatever happens to it on its way.
        if frames::kind(&frame) == Some(ANSWER) {
            self.settle(&frame);
        }
        if !frames::is_ours(&frame) {
            remember(&mut self.models, &frame, MODELS);
        }
        remember(&mut self.seen, &frame, REMEMBERED);
        self.from_guest.push(frame, now);
    }

    /// Who is at the other end sent that.
    pub fn far_sent(&mut self, frame: Vec<u8>, now: Duration) {
        remember(&mut self.models, &frame, MODELS);
        self.push_to_guest(frame, now);
    }

    fn push_to_guest(&mut self, frame: Vec<u8>, now: Duration) {
        match self.to_guest.len() < UNDER_WAY {
            true => self.to_guest.push(frame, now),
            false => self.tally.dropped += 1,
        }
    }

    /// An answer has come: is it one that is owed?
    fn settle(&mut self, frame: &[u8]) {
        let keys = [frame.to_vec(), without_source(frame)];
        let is_station = frames::source(frame).is_some_and(frames::is_station);
        let owed = keys.iter().find(|key| self.owed.contains_key(*key));
        if let Some(key) = owed.filter(|_| is_station) {
            self.owed.entry(key.clone()).and_modify(|debt| debt.count -= 1);
            self.owed.retain(|_, debt| debt.count > 0);
            self.tally.answered += 1;
            self.tally.owed -= 1;
        } else if !keys.iter().any(|key| self.forgiven.remove(key)) {
            self.tally.wrong += 1;
            self.wrong.get_or_insert_with(|| frame.to_vec());
        }
    }

    /// What is to be delivered to the guest now.
    pub fn next_for_guest(&mut self, now: Duration) -> Option<Vec<u8>> {
        let frame = self.scripted.pop_front().or_else(|| {
            self.work(now);
            self.to_guest.take(now)
        })?;
        if frames::kind(&frame) == Some(ASK) {
            self.owe(&frame, now);
        }
        self.in_hand += 1;
        Some(frame)
    }

    /// Notes what became of it.
    pub fn delivered(&mut self, is_taken: bool) {
        self.in_hand -= 1;
        match is_taken {
            true => self.tally.to_guest += 1,
            false => self.tally.dropped += 1,
        }
    }

    /// A frame that wants an answer is given to the guest's device. For others than the guest it wants none.
    fn owe(&mut self, ask: &[u8], now: Duration) {
        let source = match frames::destination(ask) {
            Some(frames::ALL) => [0; 6],
            Some(destination) if Some(destination) == self.guest => destination,
            _ => return,
        };
        if let Some(answer) = frames::answer(ask, source) {
            let debt = self.owed.entry(answer).or_default();
            *debt = Debt { count: debt.count + 1, since: now };
            self.tally.owed += 1;
        }
    }

    /// Goes on with the job, as far as there is room.
    fn work(&mut self, now: Duration) {
        let room = match self.job {
            Some(Job::Echo(_)) => self.waited_for(now) + (self.to_guest.len() as u64) < OWED,
            _ => self.to_guest.len() < OWED as usize,
        };
        let Some(job) = self.job.as_mut().filter(|_| room) else { return };
        let (left, is_echo) = match job {
            Job::Echo(left) => (left, true),
            Job::Flood(left) => (left, false),
        };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.job = None;
        }
        if is_echo {
            let frame = frames::ask(&mut self.rng, self.guest.unwrap_or(frames::ALL), self.asked);
            self.asked = self.asked.wrapping_add(1);
            self.to_guest.push(frame, now);
        } else {
            let frame = self.almost_a_frame();
            self.to_guest.push(frame, now);
        }
    }

    /// One of the last frames with changes. The guest is to owe no answer, nor to be blamed for one.
    fn almost_a_frame(&mut self) -> Vec<u8> {
        let at = self.rng.below(u32::try_from(self.models.len()).unwrap_or(u32::MAX)) as usize;
        let mut frame = match self.models.get(at) {
            Some(model) => changed(&mut self.rng, model),
            None => (0..60 + self.rng.below(1455)).map(|_| self.rng.draw() as u8).collect(),
        };
        if frames::is_ours(&frame) {
            frame.iter_mut().skip(12).take(1).for_each(|byte| *byte = 0);
        }
        frame
    }

    /// When something is due for the guest.
    pub fn due_for_guest(&self) -> Option<Duration> {
        self.to_guest.due()
    }

    /// What is to be delivered to the other end now; what is for the lab itself is done.
    pub fn next_for_far(&mut self, now: Duration) -> Option<Vec<u8>> {
        loop {
            let frame = self.from_guest.take(now)?;
            match frames::kind(&frame) {
                Some(ASK) => {
                    if let Some(answer) = frames::answer(&frame, frames::LAB) {
                        self.tally.asked += 1;
                        self.push_to_guest(answer, now);
                    }
                }
                Some(ANSWER) => {}
                _ => return Some(frame),
            }
        }
    }

    /// When something is due for the other end.
    pub fn due_for_far(&self) -> Option<Duration> {
        self.from_guest.due()
    }
}

fn remember(frames: &mut VecDeque<Vec<u8>>, frame: &[u8], most: usize) {
    if frames.len() >= most {
        frames.pop_front();
    }
    frames.push_back(frame.to_vec());
}

fn without_source(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.iter_mut().skip(6).take(6).for_each(|byte| *byte = 0);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::hex::bytes;

    const NOW: Duration = Duration::from_secs(1);

    fn book() -> Book {
        Book::new(Trouble::default(), 1)
    }

    /// Lets a guest answer what it is sent, by this rule, until it owes nothing more or `most` frames came.
    fn play(book: &mut Book, most: usize, answer: impl Fn(Vec<u8>) -> Vec<Vec<u8>>) -> usize {
        for number in 0..most {
            let Some(frame) = book.next_for_guest(NOW) else { return number };
            book.delivered(true);
            answer(frame).into_iter().for_each(|frame| book.guest_sent(frame, NOW));
        }
        most
    }

    const GUEST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

    fn honest(frame: Vec<u8>) -> Vec<Vec<u8>> {
        frames::answer(&frame, GUEST).into_iter().collect()
    }

    #[test]
    fn an_honest_guest_owes_nothing_in_the_end() {
        let mut book = book();
        book.begin(Job::Echo(100));
        assert!(!book.is_done(NOW));
        assert_eq!(play(&mut book, 1000, honest), 100);
        assert!(book.is_done(NOW) && book.verdict().is_ok());
        let said = book.tell("n0");
        assert!(
            said.contains(r#""wire":"n0""#)
                && said.contains(r#""answered":100,"owed":0,"forgiven":0,"wrong":0"#),
            "{said}"
        );
        assert_eq!(book.guest, Some(GUEST), "the first were to all, the others to it");
    }

    #[test]
    fn a_guest_that_does_not_answer_is_not_asked_more_for_a_while() {
        let mut book = book();
        book.begin(Job::Echo(100));
        assert_eq!(play(&mut book, 1000, |_| Vec::new()), OWED as usize);
        assert!(!book.is_done(NOW) && !book.is_done(NOW + PATIENCE), "there is more to ask");
        book.job = None;
        assert!(!book.is_done(NOW) && book.is_done(NOW + PATIENCE));
        assert!(book.forgive(OWED - 1).is_err_and(|why| why.contains("32 frames")));
        let late = book.owed.keys().next().cloned().map(|mut answer| {
            answer[6..12].copy_from_slice(&GUEST);
            answer
        });
        assert_eq!((book.forgive(OWED), book.tally.owed, book.tally.forgiven), (Ok(()), 0, OWED));
        late.iter().for_each(|answer| book.guest_sent(answer.clone(), NOW));
        assert!(book.verdict().is_ok(), "it may come late");
        late.iter().for_each(|answer| book.guest_sent(answer.clone(), NOW));
        assert!(book.verdict().is_err(), "but not twice");
    }

    #[test]
    fn each_wrong_answer_is_seen() {
        type Answers = fn(Vec<u8>) -> Vec<Vec<u8>>;
        let wrong: [Answers; 5] = [
            |frame| {
                honest(frame)
                    .into_iter()
                    .map(|mut one| {
                        *one.last_mut().unwrap() ^= 1;
                        one
                    })
                    .collect()
            },
            |frame| [honest(frame.clone()), honest(frame)].concat(),
            |frame| frames::answer(&frame, frames::ALL).into_iter().collect(),
            |frame| honest(frame).into_iter().map(|one| one[..one.len() - 1].to_vec()).collect(),
            |frame| honest(frame).into_iter().map(|one| [&one[..], &[0]].concat()).collect(),
        ];
        for (which, wrong) in wrong.into_iter().enumerate() {
            let mut book = book();
            book.begin(Job::Echo(3));
            play(&mut book, 10, wrong);
            assert!(book.verdict().is_err_and(|why| why.contains("the first: 02")), "{which}");
        }
        // Asked by its own address, it answers with that.
        let mut book = book();
        book.guest_sent(bytes("ff*6 525400000001 0806 00*46").unwrap(), NOW);
        book.begin(Job::Echo(1));
        play(&mut book, 10, |frame| frames::answer(&frame, [2; 6]).into_iter().collect());
        assert!(book.verdict().is_err());
    }

    #[test]
    fn what_was_lost_or_doubled_by_the_lab_is_counted_as_such() {
        let mut book = Book::new(Trouble { lost: 200, doubled: 200, swapped: 100, ..Trouble::default() }, 3);
        book.begin(Job::Echo(300));
        for now in 0..100_000 {
            let now = Duration::from_millis(now);
            while let Some(frame) = book.next_for_guest(now) {
                book.delivered(true);
                honest(frame).into_iter().for_each(|frame| book.guest_sent(frame, now));
            }
            if book.is_done(now) {
                break;
            }
        }
        assert!(book.is_done(NOW) && book.verdict().is_ok());
        let happened = book.to_guest.happened;
        assert!(happened.lost > 20 && happened.doubled > 20 && happened.swapped > 10, "{happened:?}");
        assert_eq!(book.tally.answered, 300 - happened.lost + happened.doubled);
    }

    #[test]
    fn the_lab_answers_and_hands_on_the_rest() {
        let mut book = book();
        let ask = frames::ask(&mut Rng::new(1), frames::ALL, 5);
        let plain = bytes("ff*6 525400000001 0806 00*46").unwrap();
        book.guest_sent(ask.clone(), NOW);
        book.guest_sent(plain.clone(), NOW);
        assert_eq!(book.next_for_far(NOW), Some(plain));
        assert_eq!(book.next_for_guest(NOW), frames::answer(&ask, frames::LAB));
        book.delivered(true);
        assert_eq!((book.next_for_far(NOW), book.tally.asked), (None, 1));
        assert!(book.is_done(NOW), "an answer is owed none");
    }

    #[test]
    fn frames_are_waited_for_in_their_order() {
        let mut book = book();
        let template = |text: &str| Template::parse(&[("12".to_owned(), text.to_owned())].into()).unwrap();
        for kind in ["0806", "0800", "0806"] {
            book.guest_sent(bytes(&format!("ff*6 525400000001 {kind} 00*46")).unwrap(), NOW);
        }
        assert!(book.has_seen(&template("0800")));
        assert!(
            book.has_seen(&template("0806")) && !book.has_seen(&template("0806")),
            "the first was passed"
        );
    }

    #[test]
    fn a_flood_is_made_of_what_went_by_and_wants_no_answers() {
        let mut book = book();
        book.begin(Job::Flood(50));
        assert_eq!(play(&mut book, 1000, |frame| vec![frame]), 50);
        let model = bytes("ff*6 525400000001 0806 00*46").unwrap();
        book.guest_sent(model.clone(), NOW);
        book.begin(Job::Flood(500));
        let mut alike = 0;
        while let Some(frame) = book.next_for_guest(NOW) {
            book.delivered(true);
            alike += usize::from(frame.get(6..12) == model.get(6..12));
            assert!(!frames::is_ours(&frame));
        }
        assert!(book.is_done(NOW) && book.tally.to_guest == 550);
        assert!(alike > 0);
    }

    #[test]
    fn scripted_frames_are_exact_whatever_the_trouble() {
        let mut book = Book::new(Trouble { lost: 1000, ..Trouble::default() }, 1);
        book.send(vec![1, 2, 3]);
        assert!(!book.is_done(NOW));
        assert_eq!(book.next_for_guest(NOW), Some(vec![1, 2, 3]));
        book.delivered(false);
        assert_eq!((book.tally.dropped, book.is_done(NOW)), (1, true));
    }

    #[test]
    fn too_many_for_the_guest_are_lost_and_too_many_of_the_guest_wait() {
        let mut book = book();
        (0..=UNDER_WAY).for_each(|_| book.far_sent(vec![0; 60], NOW));
        assert_eq!((book.tally.dropped, book.to_guest.len()), (1, UNDER_WAY));
        (0..UNDER_WAY).for_each(|_| book.guest_sent(vec![0; 60], NOW));
        assert!(!book.has_room());
        book.next_for_far(NOW);
        assert!(book.has_room());
    }
}
