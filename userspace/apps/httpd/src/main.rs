//! Serves the machine's page.
//!
//! Arguments: `--port=80`; `--names=a.example,b.example`, how the machine is called beside `localhost` and its addresses; `--token=...`, what who may end
//! and start services has to know: without it nobody may.
//!
//! Who asks may be anybody. So what one connection takes up has limits (`capos-web`), and so have all of one peer, and all together. When the network
//! stack was started anew, its sockets are gone, and we listen again.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod connection;
mod site;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_web::{Guard, Limits, Token};
use core::cell::RefCell;
use httpd::{Crowd, Peer};
use rt::generated::{TcpListenAuthorityClient, TcpListenerClient};
use rt::{CallError, Env, Signal, block_on, log, spawn};
use site::Site;

rt::main!(run);

/// Exit codes: 1 the clock is gone, 2 something is lacking or can not be understood.
const BROKEN: i64 = 1;
const LACKING: i64 = 2;

/// Connections, those of one peer, and those that wait to be accepted. A thread has 64 calls under way at most, and each connection has one.
const CONNECTIONS: usize = 48;
const OF_ONE: usize = 32;
const BACKLOG: u32 = 32;
/// Bytes that the stack keeps of each connection, towards us and away.
const ROOM_IN: u32 = 8 * 1024;
const ROOM_OUT: u32 = 32 * 1024;
/// How long somebody may say nothing when many are there.
const SHORT_NS: u64 = 5_000_000_000;
/// Until we try to listen again.
const PAUSE_NS: u64 = 200_000_000;
/// So often in vain is worth a word.
const PATIENCE: u32 = 10;

/// What the arguments say.
struct Settings {
    port: u16,
    guard: Guard,
}

fn run(mut env: Env) -> i64 {
    let settings = match settings(env.args()) {
        Ok(settings) => settings,
        Err(why) => {
            log::error(format_args!("{why}"));
            return LACKING;
        }
    };
    let parts = env
        .client::<TcpListenAuthorityClient>("listen")
        .and_then(|listen| Site::new(&mut env, settings.guard).map(|site| (listen, Rc::new(site))));
    match parts {
        Ok((listen, site)) => {
            let error = block_on(serve(&site, &listen, settings.port));
            log::error(format_args!("timer: {error}"));
            BROKEN
        }
        Err(error) => {
            log::error(format_args!("{error}"));
            LACKING
        }
    }
}

fn settings<'a>(args: impl Iterator<Item = &'a str>) -> Result<Settings, String> {
    let (mut port, mut names, mut token) = (80, alloc::vec::Vec::new(), None);
    for arg in args {
        let Some((name, value)) = arg.split_once('=') else {
            return Err(format!("`{arg}` means nothing here"));
        };
        match name {
            "--port" => port = value.parse().map_err(|_| format!("`{value}` is no port"))?,
            "--names" => names.extend(value.split(',').map(String::from)),
            "--token" => token = Some(Token::new(value).map_err(|weak| format!("--token: {weak}"))?),
            _ => return Err(format!("`{name}` means nothing here")),
        }
    }
    Ok(Settings { port, guard: Guard::new(names, token) })
}

/// Who is there, and that somebody left.
struct Door {
    crowd: RefCell<Crowd>,
    left: Signal,
}

/// Somebody who came in, until dropped.
struct Guest {
    door: Rc<Door>,
    peer: Peer,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.door.crowd.borrow_mut().leave(self.peer);
        self.door.left.notify();
    }
}

/// Listens, for as long as there is time.
async fn serve(site: &Rc<Site>, listen: &TcpListenAuthorityClient, port: u16) -> CallError {
    let door = Rc::new(Door { crowd: RefCell::new(Crowd::new(CONNECTIONS, OF_ONE)), left: Signal::new() });
    let mut failures = 0u32;
    loop {
        let error = match listen.listen(port, BACKLOG, ROOM_IN, ROOM_OUT).await {
            Ok(begun) => {
                log::info(format_args!("listens at port {}", begun.port));
                failures = 0;
                accept(site, &door, &begun.listener).await
            }
            Err(error) => error,
        };
        // A stack that has only begun may not be there yet. Later the same again and again says nothing more.
        failures = failures.saturating_add(1);
        if failures == PATIENCE {
            log::warn(format_args!("port {port}: {error}"));
        }
        if let Err(error) = site.pause(PAUSE_NS).await {
            return error;
        }
    }
}

/// Takes who comes, until there is no listening any more.
async fn accept(site: &Rc<Site>, door: &Rc<Door>, listener: &TcpListenerClient) -> CallError {
    loop {
        while door.crowd.borrow().is_full() {
            door.left.wait().await;
        }
        let came = match listener.accept().await {
            Ok(came) => came,
            Err(error) => return error,
        };
        let peer = (came.high, came.low);
        if !door.crowd.borrow_mut().enter(peer) {
            // Dropped, which breaks it off: it is one too many of that peer.
            continue;
        }
        let guest = Guest { door: Rc::clone(door), peer };
        let usual = Limits::default();
        let idle_ns = if door.crowd.borrow().is_dense() { SHORT_NS } else { usual.idle_ns };
        let site = Rc::clone(site);
        spawn(async move {
            connection::talk(&site, &came.socket, Limits { idle_ns, ..usual }).await;
            drop(guest);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn what_the_arguments_say() {
        let said = |args: &[&str]| settings(args.iter().copied()).map(|it| (it.port, it.guard.is_open()));
        assert_eq!(said(&[]), Ok((80, false)));
        assert_eq!(said(&["--port=8080", "--names=a,b", "--token=0123456789abcdef"]), Ok((8080, true)));
        for wrong in ["--port=x", "--port=65536", "--token=short", "--porto=1", "80"] {
            assert!(said(&[wrong]).is_err(), "{wrong}");
        }
    }
}
