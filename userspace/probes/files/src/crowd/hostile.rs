//! One that keeps to nothing: says nonsense, takes more than it may, and never hears an answer.

use super::{GO, Player, done};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use capos_mutate::Rng;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use rt::generated::{DirectoryClient, FileClient};
use rt::schema::directory::Creation;
use rt::{CallError, Cap, Client, ExceptionCode, give_way, ipc};

/// Calls that say nothing sensible.
const NONSENSE: u32 = 500;
/// More methods than any interface has.
const METHODS: u32 = 24;
/// Calls whose answers nobody takes: more than one thread may have under way.
const UNHEARD: usize = 100;
/// More facets than one client may have.
const FACETS: usize = 6000;

/// All of it.
pub async fn attack(player: &Player) -> Result<(), CallError> {
    let place = player.place().await?;
    player.see(&place, GO).await?;
    let home = place.open_directory(Creation::Existing, true, player.name).await?;
    let file = home.open_file(Creation::Always, true, "own").await?;
    too_much(player, &home, &file).await?;
    nonsense(&home, &file).await;
    facets(player, &home).await;
    // Facets come back when the service has heard that they are gone.
    while let Err(error) = player.say(&place, &done(player.name)).await {
        if error.exception() != Some(ExceptionCode::BudgetExhausted) {
            return Err(error);
        }
    }
    let calls = unheard(&file).await;
    give_way().await;
    // What they are answered stays where it is, until somebody ends this.
    core::mem::forget(calls);
    loop {
        core::hint::spin_loop();
    }
}

/// More bytes and more names than its quota has.
async fn too_much(player: &Player, home: &DirectoryClient, file: &FileClient) -> Result<(), CallError> {
    let refused = loop {
        if let Err(error) = file.append(&[1; 4000]).await {
            break error.exception();
        }
    };
    player.report.equal("bytes beyond a quota", refused, Some(ExceptionCode::BudgetExhausted));
    let mut number = 0;
    let refused = loop {
        if let Err(error) = home.open_file(Creation::Always, true, &format!("{number}")).await {
            break error.exception();
        }
        number += 1;
    };
    player.report.equal("names beyond a quota", refused, Some(ExceptionCode::BudgetExhausted));
    Ok(())
}

/// Any method with any bytes, but those that would do something that is allowed: its own are its to spoil.
async fn nonsense(home: &DirectoryClient, file: &FileClient) {
    let mut rng = Rng::new(5);
    for _ in 0..NONSENSE {
        let (method, length) = (rng.below(METHODS) as u16, rng.below(200) as usize);
        let bytes: Vec<u8> = (0..length).map(|_| rng.draw() as u8).collect();
        let is_file = rng.chance(1, 2);
        let (cap, interface): (&Cap, u64) =
            if is_file { (file.cap(), FileClient::ID) } else { (home.cap(), DirectoryClient::ID) };
        let encode = |out: &mut [u8]| {
            out.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
            Ok(bytes.len().min(out.len()))
        };
        // Whatever it is answered.
        drop(ipc::call(cap, interface, method, encode, &[], 1, 4000).await);
    }
}

/// One directory as often as it may be had, and once more.
async fn facets(player: &Player, home: &DirectoryClient) {
    let mut held = Vec::new();
    let refused = loop {
        match home.read_only().await {
            Ok(facet) if held.len() < FACETS => held.push(facet),
            Ok(_) => break None,
            Err(error) => break error.exception(),
        }
    };
    let is_typed = matches!(refused, Some(ExceptionCode::BudgetExhausted | ExceptionCode::OutOfMemory));
    player.report.check("facets have an end", is_typed, format!("{refused:?} of the {}th", held.len()));
}

type Call<'f> = Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + 'f>>;

/// Asks, and never looks at what is answered.
async fn unheard(file: &FileClient) -> Vec<Call<'_>> {
    let mut calls: Vec<Call<'_>> = Vec::new();
    for _ in 0..UNHEARD {
        let mut call: Call<'_> = Box::pin(file.read(0, 500));
        poll_fn(|cx| {
            let _ = call.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        calls.push(call);
    }
    calls
}
