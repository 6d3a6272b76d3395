//! A real browser for pages: headless Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Chromium is; `None`, with a word, where it is not and nobody requires it.
pub fn find() -> Option<PathBuf> {
    let names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found = names.into_iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("SCALE_AGENT_REQUIRE_PEERS").is_none(), "Chromium is required and not installed");
        eprintln!("skipped: Chromium is not installed");
    }
    found
}

/// Loads a page and returns its document after everything in it has run, and what the browser complained about; a picture of it
/// goes to `picture`.
pub fn load(chromium: &Path, url: &str, picture: &Path, dark: bool) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--window-size=1240,3200", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", picture.display()))
        .args(dark.then_some("--blink-settings=preferredColorScheme=0"))
        .arg(url)
        .output()
        .expect("Chromium runs");
    let log = String::from_utf8_lossy(&output.stderr);
    let complaints = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), complaints)
}
