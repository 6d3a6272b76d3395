//! Where log lines go: standard error, or a file that others may rename under our hands.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Takes log lines.
pub(super) trait Output: Write + Send + 'static {
    /// Goes on in a file of the same name, after the one before was renamed.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for io::Stderr {}

/// A log file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens or makes the file; its group may read it, as collectors do.
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        let file = File::options().create(true).append(true).mode(0o640).open(path)?;
        Ok(LogFile { path: path.to_owned(), file })
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        // The one before stays in use where the new one cannot be made.
        self.file = LogFile::open(&self.path)?.file;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_rename_lines_go_to_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("agent.log"), folder.path().join("agent.log.1"));
        let mut output = LogFile::open(&path).unwrap();
        output.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &old).unwrap();
        output.write_all(b"two\n").unwrap();
        output.reopen().unwrap();
        output.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(old).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "three\n");
    }
}
