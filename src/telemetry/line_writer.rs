//! Writes log lines from its own thread, so that a stalled reader of the log never stalls a worker.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Takes whole lines and never blocks: when the output does not keep up, lines are dropped and counted.
#[derive(Debug, Clone)]
pub(super) struct LineWriter {
    lines: Sender<Message>,
    dropped: Arc<AtomicU64>,
    /// What was written since the last line end.
    partial: Vec<u8>,
}

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

impl LineWriter {
    /// Starts the thread that writes to `output`. Errors of the output, such as a closed pipe, are ignored: there is no
    /// better place to report them.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<LineWriter> {
        let (lines, queue) = bounded(QUEUE_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || drain(&queue, &counter, output))?;
        Ok(LineWriter { lines, dropped, partial: Vec::new() })
    }

    /// Queues one line, with its line end.
    pub(super) fn line(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Message::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
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

fn drain(queue: &Receiver<Message>, dropped: &AtomicU64, mut output: impl Write) {
    while let Ok(message) = queue.recv() {
        match message {
            Message::Line(line) => {
                let _ = output.write_all(&line);
            }
            Message::Flush(done) => {
                let _ = output.flush();
                let _ = done.send(());
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let notice = format!("{lost} log lines dropped: the reader of the log does not keep up\n");
            let _ = output.write_all(notice.as_bytes());
        }
    }
}

/// Room for a burst: some hundred kilobytes at the length of usual lines.
const QUEUE_LINES: usize = 4096;

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

    #[test]
    fn pieces_become_lines() {
        let (gate, written) = bounded(8);
        let mut writer = LineWriter::start(Gate(gate)).unwrap();
        writer.write_all(b"one ").unwrap();
        writer.write_all(b"line\n").unwrap();
        writer.drain();
        assert_eq!(written.try_recv(), Ok(b"one line\n".to_vec()));
    }

    #[test]
    fn a_stalled_reader_loses_lines_and_is_told() {
        let (gate, written) = bounded(0);
        let writer = LineWriter::start(Gate(gate)).unwrap();
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
        let writer = LineWriter::start(Gate(gate)).unwrap();
        drop(written);
        writer.line(b"x\n".to_vec());
        writer.drain();
        assert_eq!(writer.dropped.load(Ordering::Relaxed), 0, "the thread lives on and takes lines");
    }
}
