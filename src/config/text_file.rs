//! Reading a text file that a user named.

use super::ConfigError;
use std::io::{self, Read};
use std::path::Path;

/// The whole text of a file of at most `limit_bytes`; `what` says in errors what the file is for.
pub fn read_text_file(what: &'static str, path: &Path, limit_bytes: u64) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { what, path: path.into(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(limit_bytes + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > limit_bytes {
        let problem = format!("it is larger than {limit_bytes} bytes");
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, problem)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_too_large_or_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text_file("the file", &path, 5).unwrap(), "12345");
        let error = read_text_file("the file", &path, 4).unwrap_err().to_string();
        assert_eq!(error, format!("cannot read the file {}: it is larger than 4 bytes", path.display()));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read_text_file("the file", &path, 5).is_err());
        assert!(read_text_file("the file", folder.path(), 5).is_err());
    }
}
