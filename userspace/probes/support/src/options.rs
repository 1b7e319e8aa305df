//! Arguments of the form `--name=value`.

use rt::Env;

/// The number given as `--name=..`, or `default`.
pub fn number(env: &Env, name: &str, default: u64) -> u64 {
    text(env, name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The text given as `--name=..`.
pub fn text(env: &Env, name: &str) -> Option<&'static str> {
    env.args().find_map(|arg| arg.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='))
}
