//! Query parameters of the Kubernetes API, typed.

use super::Status;

/// The parameters of every verb in one struct, as `ListOptions`, `CreateOptions`, `PatchOptions` … define them; unknown ones are
/// ignored as an API server does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// `labelSelector`, unparsed.
    pub label_selector: Option<String>,
    /// `fieldSelector`, unparsed.
    pub field_selector: Option<String>,
    /// `limit`: most objects in one page; 0 is none.
    pub limit: Option<u64>,
    /// `continue`: where the next page starts.
    pub continue_token: Option<String>,
    /// `watch`.
    pub watch: bool,
    /// `resourceVersion`.
    pub resource_version: Option<String>,
    /// `resourceVersionMatch`: `NotOlderThan` or `Exact`, unchecked.
    pub resource_version_match: Option<String>,
    /// `timeoutSeconds`.
    pub timeout_seconds: Option<u64>,
    /// `allowWatchBookmarks`.
    pub allow_watch_bookmarks: bool,
    /// `sendInitialEvents`; absent differs from false.
    pub send_initial_events: Option<bool>,
    /// `dryRun=All`.
    pub dry_run: bool,
    /// `fieldManager`.
    pub field_manager: Option<String>,
    /// `fieldValidation`: `Ignore`, `Warn` or `Strict`, unchecked.
    pub field_validation: Option<String>,
    /// `force`, of an apply patch.
    pub force: bool,
    /// `propagationPolicy`: `Orphan`, `Background` or `Foreground`, unchecked.
    pub propagation_policy: Option<String>,
    /// `gracePeriodSeconds`.
    pub grace_period_seconds: Option<i64>,
    /// `orphanDependents`, the deprecated form of `propagationPolicy`.
    pub orphan_dependents: Option<bool>,
    /// `pretty`.
    pub pretty: bool,
    /// `verbose`, of health endpoints (present is enough).
    pub verbose: bool,
    /// `exclude`, of health endpoints: checks to leave out.
    pub exclude: Vec<String>,
    /// `includeObject`, of table answers: `None`, `Metadata` or `Object`, unchecked.
    pub include_object: Option<String>,
}

impl Query {
    /// Parses what follows the `?`. A value of the wrong type is a 400 with the API server's words.
    pub fn parse(_query: &str) -> Result<Query, Status> {
        todo!()
    }
}
