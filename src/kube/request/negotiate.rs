//! `Accept` headers: in which form an answer is wanted.

use crate::kube::Status;

/// The form of an answer that holds objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The objects themselves, as JSON.
    Object,
    /// The objects themselves, as YAML. There is no watch in this form.
    Yaml,
    /// `meta.k8s.io` `Table`, with its version (`v1` or `v1beta1`), as JSON.
    Table(&'static str),
    /// `meta.k8s.io` `PartialObjectMetadata` (for a list: `PartialObjectMetadataList`), with its version, as JSON.
    Metadata(&'static str),
}

/// Whether a route of a built-in kind answers in any of the media types of `accept`, in the words of go-restful: that looks before the
/// API server does, and knows no wildcard but `*/*`. Collections can also be watched.
pub fn routed(accept: Option<&str>, is_collection: bool) -> Result<(), Status> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Ok(()) };
    let mut asked = accept.split(',').map(|clause| clause.split(';').next().unwrap_or_default().trim());
    if asked.any(|media_type| media_type == "*/*" || PRODUCED.contains(&media_type)) {
        return Ok(());
    }
    let watched = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
    let all: Vec<&str> = PRODUCED.into_iter().chain(watched.into_iter().filter(|_| is_collection)).collect();
    Err(Status::no_representation(&all))
}

/// The form of `/api` and `/apis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryForm {
    /// `APIVersions` and `APIGroupList`.
    Legacy,
    /// `APIGroupDiscoveryList` of `apidiscovery.k8s.io`, with its version (`v2` or `v2beta1`).
    Aggregated(&'static str),
}

/// The form of `/openapi/v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenApiForm {
    /// `application/json`.
    Json,
    /// `application/com.github.proto-openapi.spec.v2.v1.0+protobuf`.
    Protobuf,
}

/// The form to answer objects in; 406 when the client accepts nothing that is served, such as protobuf alone.
pub fn objects(accept: Option<&str>) -> Result<Form, Status> {
    choose(accept, Form::Object, &[JSON, YAML], |clause| {
        let yaml = !clause.covers(JSON);
        let conversion = clause.conversion();
        if conversion == Conversion::default() {
            return Some(if yaml { Form::Yaml } else { Form::Object });
        }
        let version = ["v1", "v1beta1"].into_iter().find(|version| Some(*version) == conversion.version)?;
        match (conversion.group?, conversion.kind?) {
            ("meta.k8s.io", "Table") => Some(Form::Table(version)),
            ("meta.k8s.io", "PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Form::Metadata(version)),
            _ => None,
        }
    })
}

/// The form to answer `/api` and `/apis` in.
pub fn discovery(accept: Option<&str>) -> Result<DiscoveryForm, Status> {
    choose(accept, DiscoveryForm::Legacy, &[JSON], |clause| {
        let conversion = clause.conversion();
        if conversion == Conversion::default() {
            return Some(DiscoveryForm::Legacy);
        }
        let version = ["v2", "v2beta1"].into_iter().find(|version| Some(*version) == conversion.version)?;
        let aggregated = (conversion.group?, conversion.kind?) == ("apidiscovery.k8s.io", "APIGroupDiscoveryList");
        aggregated.then_some(DiscoveryForm::Aggregated(version))
    })
}

/// The form to answer `/openapi/v2` in.
pub fn openapi_v2(accept: Option<&str>) -> Result<OpenApiForm, Status> {
    choose(accept, OpenApiForm::Json, &[JSON, OPENAPI_V2_PROTOBUF, OPENAPI_V2_PROTOBUF_OLD], |clause| {
        Some(if clause.covers(JSON) { OpenApiForm::Json } else { OpenApiForm::Protobuf })
    })
}

/// The first form that `form` finds for a clause of `accept` that covers one of the `served` media types; `default` without a header.
fn choose<F>(
    accept: Option<&str>,
    default: F,
    served: &[&str],
    form: impl Fn(&Clause) -> Option<F>,
) -> Result<F, Status> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Ok(default) };
    let mut clauses = accept.split(',').filter_map(Clause::parse).collect::<Vec<_>>();
    // A stable sort: of equal clauses the first one counts.
    clauses.sort_by_key(|clause| (std::cmp::Reverse(clause.permille), clause.media_type.matches('*').count()));
    let usable = clauses.iter().filter(|clause| served.iter().any(|media_type| clause.covers(media_type)));
    usable.filter_map(form).next().ok_or_else(|| Status::not_acceptable(served))
}

/// One clause of an `Accept` header (RFC 9110 §12.5.1).
struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    permille: u16,
}

/// What an object is to be turned into: the parameters `as`, `g` and `v`.
#[derive(PartialEq, Eq, Default)]
struct Conversion<'a> {
    kind: Option<&'a str>,
    group: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<Clause<'a>> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().filter(|media_type| !media_type.is_empty())?;
        let mut clause = Clause { media_type, parameters: Vec::new(), permille: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim_matches('"');
            if name == "q" {
                // A float between 0 and 1 fits; anything else saturates.
                clause.permille = (value.parse::<f32>().unwrap_or(1.0) * 1000.0) as u16;
            } else {
                clause.parameters.push((name, value));
            }
        }
        Some(clause)
    }

    fn covers(&self, media_type: &str) -> bool {
        // go-restful knows no other pattern.
        self.media_type == "*/*" || self.media_type == media_type
    }

    fn conversion(&self) -> Conversion<'a> {
        let parameter = |name| self.parameters.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        Conversion { kind: parameter("as"), group: parameter("g"), version: parameter("v") }
    }
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
/// What routes of built-in kinds say they answer in.
const PRODUCED: [&str; 3] = [JSON, YAML, "application/vnd.kubernetes.protobuf"];
/// The media type of an OpenAPI v2 document in protobuf.
pub(in crate::kube) const OPENAPI_V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// The same before kube-openapi found out that a media type cannot hold an `@`.
const OPENAPI_V2_PROTOBUF_OLD: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_clients_send() {
        assert_eq!(objects(None), Ok(Form::Object));
        assert_eq!(objects(Some("*/*")), Ok(Form::Object));
        assert_eq!(objects(Some("application/json, */*")), Ok(Form::Object));
        // client-go's typed clients and informers.
        assert_eq!(objects(Some("application/vnd.kubernetes.protobuf,application/json")), Ok(Form::Object));
        assert_eq!(
            objects(Some("application/vnd.kubernetes.protobuf;stream=watch,application/json;stream=watch")),
            Ok(Form::Object)
        );
        // kubectl get.
        assert_eq!(
            objects(Some(
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
            )),
            Ok(Form::Table("v1"))
        );
        // client-go's metadata client.
        assert_eq!(
            objects(Some(
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                 application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
            )),
            Ok(Form::Metadata("v1"))
        );
        assert_eq!(objects(Some("application/yaml")), Ok(Form::Yaml));
    }

    #[test]
    fn preferences_decide() {
        assert_eq!(objects(Some("application/json;q=0.5, application/yaml;q=0.9")), Ok(Form::Yaml));
        assert_eq!(objects(Some("*/*, application/yaml")), Ok(Form::Yaml));
        assert_eq!(objects(Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")), Ok(Form::Object));
    }

    #[test]
    fn unknown_conversions_are_skipped() {
        assert_eq!(objects(Some("application/json;as=Chair;v=v1;g=meta.k8s.io,application/json")), Ok(Form::Object));
        assert_eq!(objects(Some("application/json;as=Table;v=v2;g=meta.k8s.io")).unwrap_err().code, 406);
    }

    #[test]
    fn what_is_not_served_is_not_acceptable() {
        let status = objects(Some("application/vnd.kubernetes.protobuf")).unwrap_err();
        assert_eq!((status.code, status.reason), (406, "NotAcceptable"));
        assert_eq!(status.message, "only the following media types are accepted: application/json, application/yaml");
        assert_eq!(objects(Some("text/html")).unwrap_err().code, 406);
    }

    #[test]
    fn discovery_is_aggregated_on_request() {
        // client-go's discovery client.
        let both = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(discovery(Some(both)), Ok(DiscoveryForm::Aggregated("v2")));
        let old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(discovery(Some(old)), Ok(DiscoveryForm::Aggregated("v2beta1")));
        assert_eq!(discovery(Some("application/json")), Ok(DiscoveryForm::Legacy));
        assert_eq!(discovery(None), Ok(DiscoveryForm::Legacy));
    }

    #[test]
    fn openapi_comes_in_both_forms() {
        assert_eq!(openapi_v2(Some(OPENAPI_V2_PROTOBUF)), Ok(OpenApiForm::Protobuf));
        assert_eq!(openapi_v2(Some("application/json")), Ok(OpenApiForm::Json));
        assert_eq!(openapi_v2(None), Ok(OpenApiForm::Json));
        assert_eq!(openapi_v2(Some("*/*")), Ok(OpenApiForm::Json));
    }

    proptest! {
        #[test]
        fn no_header_panics(accept in ".*") {
            let _ = objects(Some(&accept));
        }
    }
}
