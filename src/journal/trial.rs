//! A look into the state file that leaves it as it is, whatever the store would repair in it.

use parking_lot::Mutex;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::io;
use std::ops::Bound;

/// Reads the file, and keeps to itself what would be written.
#[derive(Debug)]
pub(super) struct Trial {
    file: FileBackend,
    draft: Mutex<Draft>,
}

#[derive(Debug)]
struct Draft {
    length: u64,
    /// In the order in which they were made: few, since a trial commits nothing.
    writes: Vec<(u64, Vec<u8>)>,
}

impl Trial {
    pub(super) fn new(file: FileBackend) -> io::Result<Trial> {
        let length = file.len()?;
        Ok(Trial { file, draft: Mutex::new(Draft { length, writes: Vec::new() }) })
    }
}

impl StorageBackend for Trial {
    fn len(&self) -> io::Result<u64> {
        Ok(self.draft.lock().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let draft = self.draft.lock();
        let in_file = self.file.len()?.min(draft.length).saturating_sub(offset);
        let in_file = usize::try_from(in_file).unwrap_or(usize::MAX).min(out.len());
        let (from_file, beyond) = out.split_at_mut(in_file);
        if !from_file.is_empty() {
            self.file.read(offset, from_file)?;
        }
        beyond.fill(0);
        for (at, written) in &draft.writes {
            let start = offset.max(*at);
            let end = (offset + out.len() as u64).min(at + written.len() as u64);
            if start < end {
                // Both lie within slices, so that the differences fit.
                let (to, from) = ((start - offset) as usize, (start - at) as usize);
                let count = (end - start) as usize;
                out[to..to + count].copy_from_slice(&written[from..from + count]);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.draft.lock().length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.draft.lock().writes.push((offset, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, redb::BackendError> {
        self.file.try_lock_range(start, end)
    }
}
