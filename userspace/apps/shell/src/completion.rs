//! What Tab offers.

use crate::budget;
use crate::commands;
use crate::session::Session;
use crate::storage;
use alloc::string::String;
use alloc::vec::Vec;
use capos_line::Editor;
use capos_words::{Completion, Context, complete as finish};
use rt::generated::ServicesClient;

/// Finishes the word before the cursor, or shows what it can become.
pub async fn complete(session: &Session, editor: &mut Editor, out: &mut String) {
    let context = Context::of(&editor.before_cursor());
    let candidates = candidates(session, &context).await;
    match finish(&context.begun, candidates.iter().map(String::as_str)) {
        Completion::Nothing => out.push('\x07'),
        Completion::Insert { text, done } => {
            editor.insert(&text, out);
            // In a place or a directory there are more names.
            if done && !text.ends_with(['/', ':']) {
                editor.insert(" ", out);
            }
        }
        Completion::Choices(choices) => {
            out.push_str("\r\n");
            out.push_str(&choices.join("  "));
            out.push_str("\r\n");
            editor.redraw(out);
        }
    }
}

async fn candidates(session: &Session, context: &Context) -> Vec<String> {
    let budget = context.words.iter().skip(1).take_while(|word| word.starts_with(budget::WORD)).count();
    let position = context.words.len().saturating_sub(budget);
    match context.command() {
        None if context.piped => alloc::vec![String::from("run"), String::from("put")],
        None => commands::COMMANDS.iter().map(|command| String::from(command.name)).collect(),
        Some("run") if context.granting() => {
            session.held.all().map(|granted| String::from(granted.name)).collect()
        }
        Some("run") if position == 1 => boot_files(session).await,
        Some("ls" | "cat" | "get" | "put" | "cp" | "mv" | "rm" | "mkdir") => {
            storage::names(session, &context.begun).await
        }
        Some("mount") if position == 1 => storage::disk_names(session).await,
        Some("run") => alloc::vec![String::from("with")],
        Some("kill" | "start" | "replace" | "grant" | "crash" | "trace") if position == 1 => {
            services(session).await
        }
        Some("graph") if position == 1 => commands::names(session).await,
        Some("replace") if position == 2 => boot_files(session).await,
        Some("grant") if position == 2 => {
            session.held.all().map(|granted| String::from(granted.name)).collect()
        }
        Some("diag") if position == 1 => diag::COMMANDS.iter().map(|(name, _)| String::from(*name)).collect(),
        Some("diag") => alloc::vec![String::from("--json")],
        Some("help") => commands::COMMANDS.iter().map(|command| String::from(command.name)).collect(),
        _ => Vec::new(),
    }
}

async fn boot_files(session: &Session) -> Vec<String> {
    let files = session.boot_files().await.unwrap_or_default();
    files.into_iter().map(|(name, _)| name).collect()
}

async fn services(session: &Session) -> Vec<String> {
    let Some(services) = session.client::<ServicesClient>("services") else { return Vec::new() };
    let mut names = Vec::new();
    let mut cursor = 0;
    while let Ok(service) = services.list(cursor).await {
        names.push(service.name);
        if service.next <= cursor {
            break;
        }
        cursor = service.next;
    }
    names
}
