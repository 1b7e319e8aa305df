//! A process with many clients in it.

use super::task::Task;
use super::{GO, Player, done};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use probe::{Fields, number};
use rt::schema::directory::Creation;
use rt::{CallError, Env, Signal, spawn};

/// What they did together.
#[derive(Default)]
struct Sum {
    running: Cell<u64>,
    over: Signal,
    compared: Cell<u64>,
    wrong: RefCell<Vec<String>>,
}

/// All clients of a process, side by side.
pub async fn take_part(player: &Player, env: &Env) -> Result<(), CallError> {
    let (tasks, rounds, seed) = (number(env, "tasks", 12), number(env, "rounds", 30), number(env, "seed", 1));
    let place = player.place().await?;
    player.see(&place, GO).await?;
    let sum = Rc::new(Sum::default());
    sum.running.set(tasks);
    for number in 0..tasks {
        let name = format!("{}-{number}", player.name);
        let home = place.open_directory(Creation::Always, true, &name).await?;
        let bytes =
            name.bytes().map(u64::from).fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let mut task = Task::new(name, home, player.place().await?, bytes);
        let sum = Rc::clone(&sum);
        spawn(async move {
            if let Err(error) = task.work(rounds).await {
                task.wrong.push(format!("{error}"));
            }
            sum.compared.set(sum.compared.get() + task.compared);
            sum.wrong.borrow_mut().append(&mut task.wrong);
            sum.running.set(sum.running.get() - 1);
            sum.over.notify();
        });
    }
    while sum.running.get() > 0 {
        let over = sum.over.wait();
        if sum.running.get() > 0 {
            over.await;
        }
    }
    let wrong = sum.wrong.take();
    player.report.check("what others do hurts nobody", wrong.is_empty(), format!("{wrong:?}"));
    let fields = Fields::new().text("name", player.name).value("clients", tasks).value("rounds", rounds);
    player.report.event("files.member", fields.value("compared", sum.compared.get()));
    player.say(&place, &done(player.name)).await
}

/// Files that are open and have no names.
const HELD: u64 = 20;

/// Holds what nobody else can, and writes until it is killed.
pub async fn be_killed(player: &Player) -> Result<(), CallError> {
    let place = player.place().await?;
    player.see(&place, GO).await?;
    let home = place.open_directory(Creation::Always, true, player.name).await?;
    let mut held = Vec::new();
    for number in 0..HELD {
        let name = format!("{number}");
        let file = home.open_file(Creation::Always, true, &name).await?;
        file.write(0, &[number as u8; 4000]).await?;
        home.remove(&name).await?;
        held.push(file);
    }
    player.say(&place, &done(player.name)).await?;
    loop {
        for file in &held {
            file.append(&[7; 4000]).await?;
            file.truncate(100).await?;
        }
    }
}
