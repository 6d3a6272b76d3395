//! The signals that end the program, and the one that has it read its configuration again.

use super::Failure;
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGINT or SIGTERM.
    End,
    /// SIGHUP.
    Reload,
}

/// Calls `handle` on a thread of its own for each signal; to be called once.
pub(super) fn on_signals(handle: impl Fn(Signal) + Send + Sync + 'static) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("signals cannot be caught").cause(error);
    let handle = Arc::new(handle);
    let interrupted = handle.clone();
    ctrlc::set_handler(move || interrupted(Signal::End)).map_err(|error| failed(&error))?;
    let mut signals = Signals::new([SIGTERM, SIGHUP]).map_err(|error| failed(&error))?;
    let wait = move || {
        for signal in signals.forever() {
            handle(if signal == SIGHUP { Signal::Reload } else { Signal::End });
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(|error| failed(&error))?;
    Ok(())
}
