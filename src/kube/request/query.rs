//! Query parameters of the Kubernetes API, typed.

use crate::kube::response::quote::quote;
use crate::kube::{Cause, Status};
use serde_json::{Value, json};

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
    /// `resourceVersionMatch`: `NotOlderThan` or `Exact`.
    pub resource_version_match: Option<String>,
    /// `timeoutSeconds`.
    pub timeout_seconds: Option<u64>,
    /// `allowWatchBookmarks`.
    pub allow_watch_bookmarks: bool,
    /// `sendInitialEvents`; absent differs from false.
    pub send_initial_events: Option<bool>,
    /// Every `dryRun`; see [`Query::is_dry_run`].
    pub dry_run: Vec<String>,
    /// `fieldManager`.
    pub field_manager: Option<String>,
    /// `fieldValidation`: `Ignore`, `Warn` or `Strict`.
    pub field_validation: Option<String>,
    /// `force`, of an apply patch.
    pub force: Option<bool>,
    /// `propagationPolicy`: `Orphan`, `Background` or `Foreground`.
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
    /// Parses what follows the `?`. A number that is none is a 400 with the API server's words; the first of several values counts.
    pub fn parse(query: &str) -> Result<Query, Status> {
        let mut parsed = Query::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parsed.set(&decode(name), decode(value))?;
        }
        Ok(parsed)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Status> {
        match name {
            "labelSelector" => first(&mut self.label_selector, value),
            "fieldSelector" => first(&mut self.field_selector, value),
            // A negative limit or timeout is no limit, as in storage and in the watch handler.
            "limit" => first(&mut self.limit, number(&value)?.try_into().unwrap_or(0)),
            "continue" => first(&mut self.continue_token, value),
            "watch" => self.watch |= boolean(&value),
            "resourceVersion" => first(&mut self.resource_version, value),
            "resourceVersionMatch" => first(&mut self.resource_version_match, value),
            "timeoutSeconds" => first(&mut self.timeout_seconds, number(&value)?.try_into().unwrap_or(0)),
            "allowWatchBookmarks" => self.allow_watch_bookmarks |= boolean(&value),
            "sendInitialEvents" => first(&mut self.send_initial_events, boolean(&value)),
            "dryRun" => self.dry_run.push(value),
            "fieldManager" => first(&mut self.field_manager, value),
            "fieldValidation" => first(&mut self.field_validation, value),
            "force" => first(&mut self.force, boolean(&value)),
            "propagationPolicy" => first(&mut self.propagation_policy, value),
            "gracePeriodSeconds" => first(&mut self.grace_period_seconds, number(&value)?),
            "orphanDependents" => first(&mut self.orphan_dependents, boolean(&value)),
            "pretty" => self.pretty |= boolean(&value),
            "verbose" => self.verbose = true,
            "exclude" => self.exclude.push(value),
            "includeObject" => first(&mut self.include_object, value),
            _ => {}
        }
        Ok(())
    }

    /// Whether a write must not be kept.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.iter().any(|value| value == "All")
    }

    /// What a list or a watch may not combine (apimachinery `ValidateListOptions`); an error is the 422 to answer.
    pub fn check_list(&self) -> Result<(), Status> {
        let causes = if self.watch { self.watch_problems() } else { self.list_problems() };
        refuse("ListOptions", causes)
    }

    /// What a create, update, patch or delete may not ask (`ValidateCreateOptions` and its like); `options` is the name of its kind,
    /// such as `CreateOptions`. An error is the 422 to answer.
    pub fn check_write(&self, options: &'static str) -> Result<(), Status> {
        let mut causes = Vec::new();
        if options == "DeleteOptions" {
            causes.extend(self.propagation_problem());
        } else {
            causes.extend(self.field_manager_problem());
        }
        if self.dry_run.iter().any(|value| value != "All") {
            let values = self.dry_run.iter().map(|value| quote(value)).collect::<Vec<_>>().join(", ");
            causes.push(Cause {
                reason: "FieldValueNotSupported",
                message: format!("Unsupported value: []string{{{values}}}: supported values: \"All\""),
                field: "dryRun".into(),
            });
        }
        match self.field_validation.as_deref() {
            None | Some("" | "Ignore" | "Warn" | "Strict") => {}
            Some(other) => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                causes.push(Cause::not_supported("fieldValidation", &json!(other), &supported));
            }
        }
        refuse(options, causes)
    }

    /// [`Query::check_write`] for a patch: an apply patch names its manager, another one has nothing to force.
    pub fn check_patch(&self, is_apply: bool) -> Result<(), Status> {
        let mut causes = Vec::new();
        if is_apply && nonempty(&self.field_manager).is_none() {
            causes.push(Cause::required("fieldManager", "is required for apply patch"));
        }
        if !is_apply && self.force.is_some() {
            causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
        refuse("PatchOptions", causes)?;
        self.check_write("PatchOptions")
    }

    fn list_problems(&self) -> Vec<Cause> {
        let mut causes = Vec::new();
        if let Some(rule) = nonempty(&self.resource_version_match) {
            if nonempty(&self.resource_version).is_none() {
                let problem = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                causes.push(Cause::forbidden(MATCH, problem));
            }
            causes.extend(self.continue_problem());
            if rule != "Exact" && rule != NOT_OLDER_THAN {
                causes.push(Cause::not_supported(MATCH, &json!(rule), &["Exact", NOT_OLDER_THAN, ""]));
            }
            if rule == "Exact" && self.resource_version.as_deref() == Some("0") {
                let problem = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                causes.push(Cause::forbidden(MATCH, problem));
            }
        }
        if self.send_initial_events.is_some() {
            causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        causes
    }

    fn watch_problems(&self) -> Vec<Cause> {
        let mut causes = Vec::new();
        let rule = nonempty(&self.resource_version_match);
        if self.send_initial_events.is_some() && rule != Some(NOT_OLDER_THAN) {
            let problem = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            causes.push(Cause::forbidden(MATCH, problem));
        }
        if let Some(rule) = rule {
            if self.send_initial_events.is_none() {
                let problem = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                causes.push(Cause::forbidden(MATCH, problem));
            }
            if rule != NOT_OLDER_THAN {
                causes.push(Cause::not_supported(MATCH, &json!(rule), &[NOT_OLDER_THAN]));
            }
            causes.extend(self.continue_problem());
        }
        causes
    }

    fn continue_problem(&self) -> Option<Cause> {
        let problem = "resourceVersionMatch is forbidden when continue is provided";
        nonempty(&self.continue_token).map(|_| Cause::forbidden(MATCH, problem))
    }

    fn propagation_problem(&self) -> Option<Cause> {
        let policy = self.propagation_policy.as_deref()?;
        if self.orphan_dependents.is_some() {
            let problem = "orphanDependents and deletionPropagation cannot be both set";
            return Some(Cause::invalid("propagationPolicy", &json!(policy), problem));
        }
        let known = ["Foreground", "Background", "Orphan"].contains(&policy);
        let supported = ["Foreground", "Background", "Orphan", "nil"];
        (!known).then(|| Cause::not_supported("propagationPolicy", &json!(policy), &supported))
    }

    fn field_manager_problem(&self) -> Option<Cause> {
        let manager = self.field_manager.as_deref()?;
        if manager.len() > FIELD_MANAGER_LIMIT_BYTES {
            return Some(Cause::too_long("fieldManager", FIELD_MANAGER_LIMIT_BYTES));
        }
        let (at, c) = manager.char_indices().find(|(_, c)| c.is_control())?;
        let problem = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
        Some(Cause::invalid("fieldManager", &Value::from(manager), &problem))
    }
}

fn refuse(options: &str, causes: Vec<Cause>) -> Result<(), Status> {
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid_options(options, causes)) }
}

fn first<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}

fn nonempty(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|value| !value.is_empty())
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Anything but `false` and `0` is true, even nothing (apimachinery `Convert_Slice_string_To_bool`).
fn boolean(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

fn number(value: &str) -> Result<i64, Status> {
    value.parse().map_err(|error: std::num::ParseIntError| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let problem = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        Status::bad_request(format!("strconv.ParseInt: parsing {}: {problem}", quote(value)))
    })
}

const MATCH: &str = "resourceVersionMatch";
const NOT_OLDER_THAN: &str = "NotOlderThan";
/// `FieldManagerMaxLength` of apimachinery.
const FIELD_MANAGER_LIMIT_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<impl std::fmt::Debug, Status>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn an_informers_watch_is_understood() {
        // client-go 0.36, reflector with WatchList.
        let query = Query::parse(
            "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=432&watch=true",
        )
        .unwrap();
        assert!(query.watch && query.allow_watch_bookmarks);
        assert_eq!(query.send_initial_events, Some(true));
        assert_eq!(query.timeout_seconds, Some(432));
        assert_eq!(query.resource_version, None);
        query.check_list().unwrap();
    }

    #[test]
    fn escapes_and_pluses_are_undone() {
        let query = Query::parse("fieldSelector=metadata.namespace%3Dcattle-system%2Ca%3Db&labelSelector=x+in+%28y%29")
            .unwrap();
        assert_eq!(query.field_selector.as_deref(), Some("metadata.namespace=cattle-system,a=b"));
        assert_eq!(query.label_selector.as_deref(), Some("x in (y)"));
    }

    #[test]
    fn unknown_parameters_are_ignored_and_the_first_value_counts() {
        let query = Query::parse("timeout=7m12s&limit=5&limit=6&&=&x").unwrap();
        assert_eq!(query, Query { limit: Some(5), ..Query::default() });
    }

    #[test]
    fn booleans_are_true_unless_denied() {
        assert!(Query::parse("watch").unwrap().watch);
        assert!(Query::parse("watch=1").unwrap().watch);
        assert!(!Query::parse("watch=0").unwrap().watch);
        assert!(!Query::parse("watch=FALSE").unwrap().watch);
    }

    #[test]
    fn what_is_no_number_is_a_400() {
        let status = Query::parse("limit=abc").unwrap_err();
        assert_eq!(status.code, 400);
        assert_eq!(status.message, r#"strconv.ParseInt: parsing "abc": invalid syntax"#);
        assert_eq!(
            message(Query::parse("timeoutSeconds=9223372036854775808")),
            r#"strconv.ParseInt: parsing "9223372036854775808": value out of range"#
        );
    }

    #[test]
    fn initial_events_go_with_not_older_than_and_a_watch() {
        // apimachinery apis/meta/internalversion/validation.
        assert_eq!(
            message(Query::parse("watch=1&sendInitialEvents=true").unwrap().check_list()),
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
             resourceVersionMatch to NotOlderThan"
        );
        assert_eq!(
            message(Query::parse("sendInitialEvents=true").unwrap().check_list()),
            "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"
        );
        assert_eq!(
            message(Query::parse("resourceVersionMatch=Exact").unwrap().check_list()),
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless \
             resourceVersion is provided"
        );
    }

    #[test]
    fn writes_refuse_what_they_do_not_know() {
        assert!(Query::parse("dryRun=All").unwrap().is_dry_run());
        assert_eq!(
            message(Query::parse("dryRun=Some").unwrap().check_write("CreateOptions")),
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: []string{\"Some\"}: supported values: \"All\""
        );
        assert_eq!(
            message(Query::parse("fieldValidation=strict").unwrap().check_write("PatchOptions")),
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"strict\": supported values: \"\", \
             \"Ignore\", \"Strict\", \"Warn\""
        );
        Query::parse("fieldManager=kubectl-client-side-apply&fieldValidation=Strict")
            .unwrap()
            .check_write("CreateOptions")
            .unwrap();
        assert!(
            Query::parse(&format!("fieldManager={}", "x".repeat(129))).unwrap().check_write("UpdateOptions").is_err()
        );
        assert_eq!(
            message(Query::parse("force=true").unwrap().check_patch(true)),
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
        );
        assert_eq!(
            message(Query::parse("force=true").unwrap().check_patch(false)),
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
        );
        Query::parse("force=true&fieldManager=helm").unwrap().check_patch(true).unwrap();
        assert!(Query::parse("propagationPolicy=Never").unwrap().check_write("DeleteOptions").is_err());
    }
}
