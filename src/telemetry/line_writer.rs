//! Writes log lines from its own thread, so that a stalled reader of the log never stalls a worker.

use super::output::Output;
use super::repeats::{Repeats, Site};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

thread_local! {
    /// The place whose record is being written, if it may be cut short: formatters know nothing of it.
    static SITE: Cell<Option<Site>> = const { Cell::new(None) };
}

/// Takes whole lines and never blocks: when the output does not keep up, lines are dropped and counted.
#[derive(Debug, Clone)]
pub(super) struct LineWriter {
    lines: Sender<Message>,
    dropped: Arc<AtomicU64>,
    /// What was written since the last line end.
    partial: Vec<u8>,
}

enum Message {
    Line(Vec<u8>, Option<Site>),
    Flush(Sender<()>),
    Reopen,
}

/// Makes a line of a notice of the log's own.
pub(super) type Notice = fn(&str) -> Vec<u8>;

/// Does something that writes a line, which counts as one of `site`.
pub(super) fn from_site(site: Option<Site>, write: impl FnOnce()) {
    SITE.set(site);
    write();
    SITE.set(None);
}

impl LineWriter {
    /// Starts the thread that writes to `output`. Errors of the output, such as a closed pipe, are ignored: there is no
    /// better place to report them.
    pub(super) fn start(output: impl Output, notice: Notice) -> io::Result<LineWriter> {
        let (lines, queue) = bounded(QUEUE_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut drain = Drain { output, notice, dropped: dropped.clone(), repeats: Repeats::default() };
        std::thread::Builder::new().name("log".into()).spawn(move || drain.run(&queue))?;
        Ok(LineWriter { lines, dropped, partial: Vec::new() })
    }

    /// Queues one line, with its line end.
    pub(super) fn line(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Message::Line(line, SITE.get())) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// Goes on in a file of the same name, once what is queued is written.
    pub(super) fn reopen(&self) {
        // Where the queue is full the output is stalled: there is nothing to go on with.
        let _ = self.lines.try_send(Message::Reopen);
    }

    /// Waits until what is queued is written, but not for longer than a stalled output deserves.
    pub(super) fn drain(&self) {
        let (done, wait) = bounded(1);
        if self.lines.send_timeout(Message::Flush(done), FLUSH_LIMIT).is_ok() {
            // A timeout means that the output is stalled; the lines are lost either way.
            let _ = wait.recv_timeout(FLUSH_LIMIT);
        }
    }
}

/// Collects pieces until a line is complete, as formatters write them.
impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.partial.extend_from_slice(bytes);
        if self.partial.ends_with(b"\n") {
            let line = std::mem::take(&mut self.partial);
            self.line(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread's side.
struct Drain<O> {
    output: O,
    notice: Notice,
    dropped: Arc<AtomicU64>,
    repeats: Repeats,
}

impl<O: Output> Drain<O> {
    fn run(&mut self, queue: &Receiver<Message>) {
        loop {
            let message = match self.repeats.is_empty() {
                true => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => queue.recv_timeout(LOOK_INTERVAL),
            };
            let now = Instant::now();
            match message {
                Ok(Message::Line(line, site)) => {
                    let line = match site {
                        Some(site) => self.repeats.take(site, line, now),
                        None => Some(line),
                    };
                    line.into_iter().for_each(|line| self.write(&line));
                }
                Ok(Message::Flush(done)) => {
                    let held = self.repeats.all();
                    self.summarise(held);
                    let _ = self.output.flush();
                    let _ = done.send(());
                }
                Ok(Message::Reopen) => {
                    if let Err(error) = self.output.reopen() {
                        self.write(&(self.notice)(&format!("the log stays in its old file: {error}")));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let over = self.repeats.over(now);
            self.summarise(over);
            let lost = self.dropped.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let text = format!("{lost} log lines dropped: the reader of the log does not keep up");
                self.write(&(self.notice)(&text));
            }
        }
    }

    fn summarise(&mut self, held: Vec<(Vec<u8>, u64)>) {
        for (line, count) in held {
            self.write(&(self.notice)(&format!("{count} more lines like the next were left out")));
            self.write(&line);
        }
    }

    fn write(&mut self, line: &[u8]) {
        let _ = self.output.write_all(line);
    }
}

/// How often lines that were held back are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Room for a burst: some hundred kilobytes at the length of usual lines.
pub const QUEUE_LINES: usize = 4096;

/// How long the end of the program waits for a stalled log.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that hands on what it is given, and blocks while nobody takes it.
    struct Gate(Sender<Vec<u8>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Gate {}

    fn notice(text: &str) -> Vec<u8> {
        format!("{text}\n").into_bytes()
    }

    #[test]
    fn a_place_that_repeats_itself_is_summarised() {
        let (gate, written) = bounded(100);
        let writer = LineWriter::start(Gate(gate), notice).unwrap();
        for number in 0..50 {
            from_site(Some(("a.rs", 1)), || writer.line(format!("{number}\n").into_bytes()));
        }
        writer.line(b"elsewhere\n".to_vec());
        writer.drain();
        let lines: Vec<String> = written.try_iter().map(|line| String::from_utf8(line).unwrap()).collect();
        assert_eq!(lines.len(), 20 + 1 + 2);
        assert_eq!(lines[19..], ["19\n", "elsewhere\n", "30 more lines like the next were left out\n", "49\n"]);
    }

    #[test]
    fn pieces_become_lines() {
        let (gate, written) = bounded(8);
        let mut writer = LineWriter::start(Gate(gate), notice).unwrap();
        writer.write_all(b"one ").unwrap();
        writer.write_all(b"line\n").unwrap();
        writer.drain();
        assert_eq!(written.try_recv(), Ok(b"one line\n".to_vec()));
    }

    #[test]
    fn a_stalled_reader_loses_lines_and_is_told() {
        let (gate, written) = bounded(0);
        let writer = LineWriter::start(Gate(gate), notice).unwrap();
        // One line waits at the gate at most, the queue holds QUEUE_LINES: at least one of these is lost.
        for _ in 0..QUEUE_LINES + 2 {
            writer.line(b"x\n".to_vec());
        }
        let told = written.iter().find(|line| line != b"x\n").map(|line| String::from_utf8(line).unwrap()).unwrap();
        assert!(told.ends_with(" log lines dropped: the reader of the log does not keep up\n"), "{told}");
    }

    #[test]
    fn a_closed_pipe_is_no_panic() {
        let (gate, written) = bounded(1);
        let writer = LineWriter::start(Gate(gate), notice).unwrap();
        drop(written);
        writer.line(b"x\n".to_vec());
        writer.drain();
        assert_eq!(writer.dropped.load(Ordering::Relaxed), 0, "the thread lives on and takes lines");
    }
}
