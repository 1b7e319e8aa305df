//! Who is in the world, and how each is started (again).

use crate::board::{Board, SIZE};
use crate::{Setup, tree};
use alloc::format;
use alloc::vec::Vec;
use probe::child::{Child, Program};
use probe::{Limits, echo, factory};
use rt::generated::{
    BootPackageClient, EndpointClient, MemoryObjectClient, ProcessHandleClient, ProcessSpawnerClient,
};
use rt::threads::memory;
use rt::{CallError, Cap, Client};

/// The parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A server that passes calls on to [`Part::Back`]. We keep its endpoint, so its clients go on with the next one.
    Front,
    /// The server behind it.
    Back,
    /// A server that alone holds its endpoint: when it ends, that closes.
    Lonely,
    /// Its client, which ends when its server has.
    Widow,
    /// A client of the front server.
    Client,
    /// Another, also of the one behind.
    Second,
    Memory,
    Threads,
    Tree,
}

/// All of them; the widow after its server.
pub const PARTS: [Part; 9] = [
    Part::Front,
    Part::Back,
    Part::Lonely,
    Part::Widow,
    Part::Client,
    Part::Second,
    Part::Memory,
    Part::Threads,
    Part::Tree,
];

/// An endpoint that we keep a right to, and a facet of it.
struct Post {
    right: EndpointClient,
    facet: Cap,
}

impl Post {
    fn new() -> Result<Post, CallError> {
        let right = factory().create_blocking(6)?;
        let facet = right.mint_blocking(1, echo::INTERFACE)?;
        Ok(Post { right, facet })
    }
}

/// The world.
pub struct World {
    program: Program,
    object: MemoryObjectClient,
    /// What its members count.
    pub board: Board,
    front: Post,
    back: Post,
    /// A facet of the lonely server's endpoint.
    lonely: Option<Cap>,
    members: Vec<(Part, ProcessHandleClient)>,
}

impl World {
    /// With everybody in it.
    pub fn new(setup: &Setup, mut seed: impl FnMut() -> u64) -> Result<World, CallError> {
        let object = memory().create_object_blocking(SIZE)?;
        let mut world = World {
            program: setup.nursery.program("probe-kill")?,
            board: Board::new(&object)?,
            object,
            front: Post::new()?,
            back: Post::new()?,
            lonely: None,
            members: Vec::with_capacity(PARTS.len()),
        };
        for part in PARTS {
            world.start(setup, part, seed())?;
        }
        Ok(world)
    }

    /// Somebody for that part.
    pub fn start(&mut self, setup: &Setup, part: Part, seed: u64) -> Result<(), CallError> {
        let handle = self.made(setup, part, seed)?.start()?;
        self.members.push((part, handle));
        Ok(())
    }

    /// Who is there, in no order that means anything.
    pub fn len(&self) -> u32 {
        self.members.len() as u32
    }

    /// Somebody leaves the world.
    pub fn take(&mut self, at: u32) -> Option<(Part, ProcessHandleClient)> {
        let at = at as usize;
        if at < self.members.len() { Some(self.members.swap_remove(at)) } else { None }
    }

    /// The member that plays a part leaves the world.
    pub fn take_part(&mut self, part: Part) -> Option<ProcessHandleClient> {
        let at = self.members.iter().position(|(other, _)| *other == part)?;
        Some(self.members.swap_remove(at).1)
    }

    fn made(&mut self, setup: &Setup, part: Part, seed: u64) -> Result<Child, CallError> {
        if part == Part::Tree {
            return self.tree(setup, seed);
        }
        let child = self.member(setup, part, seed)?;
        match part {
            Part::Front => child.arg("--role=server").lend("serve", &self.front.right)?.give(
                "behind",
                echo::INTERFACE,
                &self.back.facet,
            ),
            Part::Back => child.arg("--role=server").lend("serve", &self.back.right),
            Part::Lonely => {
                let post = Post::new()?;
                self.lonely = Some(post.facet);
                child.arg("--role=server").give("serve", EndpointClient::ID, post.right.cap())
            }
            Part::Widow => {
                let facet = self.lonely.take().ok_or(CallError::MissingCap)?;
                child.arg("--role=client").give("server", echo::INTERFACE, facet)
            }
            Part::Client => self.client(child, &self.front),
            Part::Second => self.client(child, if seed.is_multiple_of(2) { &self.front } else { &self.back }),
            Part::Memory => Ok(child.arg("--role=memory")),
            Part::Threads | Part::Tree => Ok(child.arg("--role=threads")),
        }
    }

    fn client(&self, child: Child, post: &Post) -> Result<Child, CallError> {
        child.arg("--role=client").arg("--persistent").give("server", echo::INTERFACE, &post.facet)
    }

    /// A child with what every member has.
    fn member(&self, setup: &Setup, part: Part, seed: u64) -> Result<Child, CallError> {
        // Servers above their clients or below them, as it happens: then priorities are lent.
        let priority = 4 + (seed % 3) as u8;
        let limits = Limits { priority: priority.max(5), ..Limits::threads(3) };
        let args = [format!("--line={}", part as u8), format!("--seed={seed}")];
        let child = setup.nursery.child(&self.program, &limits, "member")?;
        let child = args.iter().fold(child, |child, arg| child.arg(arg));
        tree::with_log(child.lend("board", &self.object)?.lend("timer", setup.audit.timer())?)
    }

    fn tree(&self, setup: &Setup, seed: u64) -> Result<Child, CallError> {
        let args = [format!("--depth={}", tree::DEPTH), format!("--seed={seed}")];
        let child =
            setup.nursery.child(&self.program, &tree::limits(tree::DEPTH), "tree")?.arg("--role=tree");
        let child =
            args.iter().fold(child, |child, arg| child.arg(arg)).lend("timer", setup.audit.timer())?;
        let child = tree::with_log(child)?.give("boot", BootPackageClient::ID, setup.nursery.boot().cap())?;
        child.give("spawner", ProcessSpawnerClient::ID, setup.nursery.spawner().cap())
    }
}
