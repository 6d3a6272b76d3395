//! One informer: lists, watches, and watches again, without I/O.

use super::{WatchForm, WatchedList};
use serde::Deserialize;

/// The state of an informer between and during its requests.
#[derive(Debug)]
pub struct Watcher {
    form: WatchForm,
    phase: Phase,
    revision: String,
    items: usize,
    /// The beginning of an event whose end has not arrived.
    partial: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The next request is a LIST, from this `continue` token on.
    Listing(String),
    /// The next request is a WATCH that begins with the initial list.
    InitialEvents,
    /// The next request is a WATCH from [`Watcher::revision`].
    Watching,
}

/// What came over a watch, to be added up by the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events after the initial list, bookmarks included.
    pub events: u64,
    /// MODIFIED events among them.
    pub modified: u64,
    /// Whether the initial list was completed.
    pub synced: bool,
}

/// Why an informer has to begin anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The revision is too old (410): normal after a long absence.
    #[error("the revision expired")]
    Expired,
    /// The server sent an ERROR event.
    #[error("ERROR event with code {0}")]
    Refused(u16),
    /// Not what a kube-apiserver sends.
    #[error("{0}")]
    Malformed(String),
}

impl Watcher {
    /// An informer that has seen nothing.
    pub fn new(form: WatchForm) -> Watcher {
        Watcher { form, phase: beginning(form), revision: String::new(), items: 0, partial: Vec::new() }
    }

    /// Path and query of the next request.
    pub fn target(&self, list: &WatchedList, timeout_seconds: u64) -> String {
        match &self.phase {
            Phase::Listing(from) if from.is_empty() => list.with_query("limit=500"),
            Phase::Listing(from) => {
                let from = percent_encoding::utf8_percent_encode(from, percent_encoding::NON_ALPHANUMERIC);
                list.with_query(&format!("limit=500&continue={from}"))
            }
            Phase::InitialEvents => list.with_query(&format!(
                "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true\
                 &timeoutSeconds={timeout_seconds}&watch=true"
            )),
            Phase::Watching => list.with_query(&format!(
                "allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={timeout_seconds}&watch=true",
                self.revision
            )),
        }
    }

    /// Whether the next request is answered by a list rather than by a stream of events.
    pub fn is_listing(&self) -> bool {
        matches!(self.phase, Phase::Listing(_))
    }

    /// How many objects the initial list held.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Takes in a complete list; whether it was the last page.
    pub fn take_list(&mut self, body: &[u8]) -> Result<bool, WatchError> {
        let list: List = serde_json::from_slice(body).map_err(malformed)?;
        if list.metadata.resource_version.is_empty() || list.metadata.resource_version == "0" {
            return Err(WatchError::Malformed("list without a resourceVersion".to_owned()));
        }
        if self.phase == Phase::Listing(String::new()) {
            self.items = 0;
        }
        self.items += list.items.len();
        self.revision = list.metadata.resource_version;
        let is_last = list.metadata.next.is_empty();
        self.phase = if is_last { Phase::Watching } else { Phase::Listing(list.metadata.next) };
        Ok(is_last)
    }

    /// Takes in a piece of a watch's body.
    pub fn take_events(&mut self, mut bytes: &[u8]) -> Result<Tally, WatchError> {
        let mut tally = Tally::default();
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.partial.is_empty() {
                self.take_event(line, &mut tally)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.take_event(&whole, &mut tally)?;
            }
        }
        if self.partial.len() + bytes.len() > EVENT_BYTES_AT_MOST {
            return Err(WatchError::Malformed("event without an end".to_owned()));
        }
        self.partial.extend_from_slice(bytes);
        Ok(tally)
    }

    /// The body ended or its connection was lost: the next request goes on from the last revision, if there is one.
    pub fn ended(&mut self) {
        self.partial = Vec::new();
        if self.phase == Phase::InitialEvents {
            self.items = 0;
        }
    }

    /// Forgets everything, as an informer does when its revision expired.
    pub fn begin_anew(&mut self) {
        *self = Watcher::new(self.form);
    }

    fn take_event(&mut self, line: &[u8], tally: &mut Tally) -> Result<(), WatchError> {
        let event: Event = serde_json::from_slice(line).map_err(malformed)?;
        if event.kind == "ERROR" {
            return Err(match event.object.code {
                410 => WatchError::Expired,
                code => WatchError::Refused(code),
            });
        }
        if event.object.kind.is_empty() || event.object.api_version.is_empty() {
            return Err(WatchError::Malformed("object without apiVersion or kind in a watch event".to_owned()));
        }
        let metadata = event.object.metadata;
        if self.phase == Phase::InitialEvents {
            if event.kind == "BOOKMARK" && metadata.annotations.initial_events_end == "true" {
                self.phase = Phase::Watching;
                self.revision = metadata.resource_version;
                tally.synced = true;
            } else if event.kind == "ADDED" {
                self.items += 1;
            }
            return Ok(());
        }
        // client-go compares revisions as numbers from 0.35 on.
        if number(&metadata.resource_version)? < number(&self.revision)? {
            return Err(WatchError::Malformed("resourceVersion went backwards in a watch".to_owned()));
        }
        self.revision = metadata.resource_version;
        tally.events += 1;
        tally.modified += u64::from(event.kind == "MODIFIED");
        Ok(())
    }
}

#[derive(Deserialize)]
struct List {
    metadata: ListMetadata,
    items: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(rename = "resourceVersion", default)]
    resource_version: String,
    #[serde(rename = "continue", default)]
    next: String,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    object: Object,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Object {
    api_version: String,
    kind: String,
    /// Of a Status.
    code: u16,
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    resource_version: String,
    annotations: Annotations,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    initial_events_end: String,
}

fn beginning(form: WatchForm) -> Phase {
    match form {
        WatchForm::WatchList => Phase::InitialEvents,
        WatchForm::ListThenWatch => Phase::Listing(String::new()),
    }
}

fn number(revision: &str) -> Result<u64, WatchError> {
    revision.parse().map_err(|_| WatchError::Malformed("resourceVersion is not a number".to_owned()))
}

fn malformed(error: serde_json::Error) -> WatchError {
    WatchError::Malformed(format!("not JSON as expected: {error}"))
}

/// Above etcd's limit for an object (1.5 MiB) with room for the envelope.
const EVENT_BYTES_AT_MOST: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> WatchedList {
        WatchedList { path: "/api/v1/nodes".into(), observes: None }
    }

    fn event(kind: &str, revision: u64, annotations: &str) -> String {
        let object = format!(
            r#"{{"kind":"Node","apiVersion":"v1","metadata":{{"resourceVersion":"{revision}","annotations":{annotations}}}}}"#
        );
        format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
    }

    fn initial_list() -> String {
        [
            event("ADDED", 3, "{}"),
            event("ADDED", 2, "{}"),
            event("BOOKMARK", 9, r#"{"k8s.io/initial-events-end":"true"}"#),
        ]
        .concat()
    }

    #[test]
    fn a_watch_list_syncs_with_its_bookmark_and_resumes_from_the_last_event() {
        let mut watcher = Watcher::new(WatchForm::WatchList);
        assert_eq!(
            watcher.target(&nodes(), 300),
            "/api/v1/nodes?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true\
             &timeoutSeconds=300&watch=true"
        );
        assert_eq!(watcher.take_events(initial_list().as_bytes()), Ok(Tally { events: 0, modified: 0, synced: true }));
        assert_eq!(watcher.items(), 2);
        let more = [event("MODIFIED", 12, "{}"), event("BOOKMARK", 15, "{}")].concat();
        assert_eq!(watcher.take_events(more.as_bytes()), Ok(Tally { events: 2, modified: 1, synced: false }));
        watcher.ended();
        assert_eq!(
            watcher.target(&nodes(), 301),
            "/api/v1/nodes?allowWatchBookmarks=true&resourceVersion=15&timeoutSeconds=301&watch=true"
        );
    }

    #[test]
    fn events_may_be_cut_anywhere() {
        let text = [initial_list(), event("MODIFIED", 12, "{}")].concat();
        for cut in 0..text.len() {
            let mut watcher = Watcher::new(WatchForm::WatchList);
            let first = watcher.take_events(&text.as_bytes()[..cut]).unwrap();
            let second = watcher.take_events(&text.as_bytes()[cut..]).unwrap();
            assert!(first.synced != second.synced, "cut at {cut}");
            assert_eq!((first.modified + second.modified, watcher.items()), (1, 2), "cut at {cut}");
        }
    }

    #[test]
    fn a_list_is_read_to_its_last_page_and_then_watched() {
        let mut watcher = Watcher::new(WatchForm::ListThenWatch);
        assert_eq!(watcher.target(&nodes(), 300), "/api/v1/nodes?limit=500");
        let first = br#"{"metadata":{"resourceVersion":"7","continue":"a b"},"items":[{},{}]}"#;
        assert_eq!(watcher.take_list(first), Ok(false));
        assert_eq!(watcher.target(&nodes(), 300), "/api/v1/nodes?limit=500&continue=a%20b");
        assert_eq!(watcher.take_list(br#"{"metadata":{"resourceVersion":"7"},"items":[{}]}"#), Ok(true));
        assert_eq!(watcher.items(), 3);
        assert!(!watcher.is_listing());
        assert!(watcher.target(&nodes(), 300).contains("&resourceVersion=7&"));
    }

    #[test]
    fn an_expired_revision_is_told_from_other_errors() {
        let status = |code| {
            format!("{{\"type\":\"ERROR\",\"object\":{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":{code}}}}}\n")
        };
        let mut watcher = Watcher::new(WatchForm::WatchList);
        assert_eq!(watcher.take_events(status(410).as_bytes()), Err(WatchError::Expired));
        assert_eq!(watcher.take_events(status(500).as_bytes()), Err(WatchError::Refused(500)));
    }

    #[test]
    fn what_breaks_informers_is_noticed() {
        let mut watcher = Watcher::new(WatchForm::WatchList);
        let bare = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}\n";
        assert!(matches!(watcher.take_events(bare.as_bytes()), Err(WatchError::Malformed(_))));
        watcher.begin_anew();
        watcher.take_events(initial_list().as_bytes()).unwrap();
        assert!(matches!(watcher.take_events(event("MODIFIED", 8, "{}").as_bytes()), Err(WatchError::Malformed(_))));
        let mut watcher = Watcher::new(WatchForm::ListThenWatch);
        assert!(watcher.take_list(br#"{"metadata":{"resourceVersion":"0"},"items":[]}"#).is_err());
    }
}
