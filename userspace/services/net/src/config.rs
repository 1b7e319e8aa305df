//! What the arguments say.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_net::scope::Scope;
use capos_net::stack::Settings;
use core::error::Error;
use core::net::Ipv4Addr;
use rt::Env;

/// What an export is: its interface, and the scope of it.
pub struct Export {
    /// The interface.
    pub interface: u64,
    /// What it is for, if it is an authority.
    pub scope: Rc<Scope>,
}

fn value<'a>(env: &'a Env, name: &str) -> Option<&'a str> {
    env.args().find_map(|arg| arg.split_once('=').filter(|(it, _)| *it == name)).map(|(_, value)| value)
}

/// An address of one's own, if it is not to be asked for.
pub fn settings(env: &Env) -> Result<Option<Settings>, Box<dyn Error>> {
    let Some(text) = value(env, "--address") else { return Ok(None) };
    let wrong = || format!("--address={text}: it is like 10.0.0.2/24");
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let address = address.parse::<Ipv4Addr>().map_err(|_| wrong())?;
    let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= 32).ok_or_else(wrong)?;
    let router = value(env, "--router").map(str::parse::<Ipv4Addr>).transpose()?;
    Ok(Some(Settings { address, prefix, router }))
}

/// Each export, in their order.
pub fn exports(env: &Env) -> Result<Vec<Export>, Box<dyn Error>> {
    let exports = env.exports().map(|(name, interface)| {
        let scope =
            Scope::parse(value(env, name).unwrap_or("")).map_err(|error| format!("{name}: {error}"))?;
        Ok(Export { interface, scope: Rc::new(scope) })
    });
    exports.collect()
}
