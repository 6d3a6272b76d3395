//! Recordings: one file a scene, one line of JSON a request.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A request and what a kube-apiserver answered; tests/peers/recorder/corpus.go says what each field means.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    #[serde(rename = "do")]
    pub request: String,
    pub headers: BTreeMap<String, String>,
    pub body: Option<Value>,
    pub text: String,
    /// Said by `base64` as well.
    pub protobuf: bool,
    pub base64: String,
    pub save: BTreeMap<String, String>,
    pub pick: Option<Vec<String>>,
    pub without: Vec<String>,
    pub managers: bool,
    pub watch: String,
    pub events: String,
    pub count: usize,
    pub until: Option<Until>,
    pub settles: bool,
    pub unordered: Vec<String>,
    pub forget: bool,
    pub status: u16,
    pub answer: BTreeMap<String, String>,
    pub content: Value,
}

/// What an answer must show before it counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Until {
    pub status: u16,
    pub has: BTreeMap<String, Value>,
}

impl Step {
    /// What it does, in a line.
    pub fn title(&self) -> String {
        if self.events.is_empty() { self.request.clone() } else { format!("events of {}", self.events) }
    }
}

/// All scenes by name.
pub fn scenes(dir: &Path) -> Vec<(String, Vec<Step>)> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let scene = |file: &std::path::PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let steps = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{file:?}: {e}")));
        (file.file_stem().unwrap().to_string_lossy().into_owned(), steps.collect())
    };
    files.iter().map(scene).collect()
}
