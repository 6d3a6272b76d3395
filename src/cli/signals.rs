//! The signals that end the program, and the one that has it read its configuration again.

use super::Failure;
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// What is asked of the running agent: to end, and to read its configuration again.
///
/// The first signal, or the end of standard input if that counts, is handed to the caller; the next signal ends the process.
pub(super) fn requests(exit_with_stdin: bool) -> Result<(Receiver<()>, Receiver<()>), Failure> {
    let (stop, stops) = bounded(1);
    let (reload, reloads) = bounded(1);
    if exit_with_stdin {
        let stop = stop.clone();
        std::thread::spawn(move || {
            // Whether it ends or breaks, nobody is there any more.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            let _ = stop.send(());
        });
    }
    let stopping = AtomicBool::new(false);
    on_signals(move |signal| match signal {
        // One that is under way reads what this one is about.
        Signal::Reload => drop(reload.try_send(())),
        Signal::End if stopping.swap(true, Ordering::Relaxed) => std::process::exit(INTERRUPTED.into()),
        // The end of standard input may have come first.
        Signal::End => drop(stop.try_send(())),
    })?;
    Ok((stops, reloads))
}

/// What a signal ends: work that looks at a flag, and starts that wait for a message.
pub(super) struct Stop {
    pub(super) flag: Arc<AtomicBool>,
    pub(super) receiver: Receiver<()>,
}

/// The first SIGINT or SIGTERM ends the work in order, with results; the second ends the process.
pub(super) fn stop_on_signals() -> Result<Stop, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = bounded(1);
    let stopping = flag.clone();
    on_signals(move |signal| match signal {
        Signal::Reload => {}
        Signal::End if stopping.swap(true, Ordering::Relaxed) => std::process::exit(INTERRUPTED.into()),
        // Nobody waits for it any more once everything runs.
        Signal::End => drop(sender.try_send(())),
    })?;
    Ok(Stop { flag, receiver })
}

/// The exit code of a shell's command that a signal ended.
pub(super) const INTERRUPTED: u8 = 130;
