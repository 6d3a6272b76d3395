//! How objects go from one version to another. Webhooks are never called, and still have to be described.

use crate::kube::Cause;
use crate::kube::names::check_label_1035;
use crate::kube::response::quote::go_strings;
use crate::kube::tree::{items, text};
use serde_json::Value;
use std::collections::HashSet;

/// What is wrong with the conversion of a definition (`validateCustomResourceConversion`).
pub(super) fn problems(conversion: &Value, causes: &mut Vec<Cause>) {
    let at = |field: &str| format!("spec.conversion.{field}");
    let (client, reviews) =
        (&conversion["webhook"]["clientConfig"], &conversion["webhook"]["conversionReviewVersions"]);
    match text(&conversion["strategy"]) {
        "" if conversion.is_null() => {}
        "Webhook" => {
            webhook(client, causes);
            review_versions(reviews, causes);
        }
        strategy => {
            match strategy {
                "None" => {}
                "" => causes.push(Cause::required(at("strategy"), "")),
                _ => causes.push(Cause::not_supported(at("strategy"), &conversion["strategy"], &["None", "Webhook"])),
            }
            let problem = "should not be set when strategy is not set to Webhook";
            if !client.is_null() {
                causes.push(Cause::forbidden(at("webhookClientConfig"), problem));
            }
            if items(reviews).next().is_some() {
                causes.push(Cause::forbidden(at("conversionReviewVersions"), problem));
            }
        }
    }
}

fn webhook(client: &Value, causes: &mut Vec<Cause>) {
    let at = "spec.conversion.webhookClientConfig";
    if client.is_null() {
        return causes.push(Cause::required(at, "required when strategy is set to Webhook"));
    }
    let (url, service) = (&client["url"], &client["service"]);
    if url.is_null() == service.is_null() {
        causes.push(Cause::required(at, "exactly one of url or service is required"));
    } else if !url.is_null() && !text(url).starts_with("https://") {
        let problem = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
        causes.push(Cause::invalid(format!("{at}.url"), url, problem));
    } else if !service.is_null() {
        for field in ["name", "namespace"] {
            if text(&service[field]).is_empty() {
                causes.push(Cause::required(format!("{at}.service.{field}"), &format!("service {field} is required")));
            }
        }
    }
}

fn review_versions(versions: &Value, causes: &mut Vec<Cause>) {
    let at = "spec.conversion.conversionReviewVersions";
    let versions: Vec<&Value> = items(versions).collect();
    if versions.is_empty() {
        return causes.push(Cause::required(at, ""));
    }
    let mut known = HashSet::new();
    for (index, version) in versions.iter().enumerate() {
        let field = format!("{at}[{index}]");
        if !known.insert(text(version)) {
            causes.push(Cause::invalid(field, version, "duplicate version"));
            continue;
        }
        let problems = check_label_1035(text(version));
        causes.extend(problems.iter().map(|problem| Cause::invalid(field.clone(), version, problem)));
    }
    if !versions.iter().any(|version| ["v1", "v1beta1"].contains(&text(version))) {
        causes.push(Cause::invalid_go(at, &go_strings(versions), "must include at least one of v1, v1beta1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(conversion: Value) -> Vec<String> {
        let mut causes = Vec::new();
        problems(&conversion, &mut causes);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn a_webhook_is_described_in_full() {
        let service = json!({"name": "a", "namespace": "b"});
        let webhook = |client: Value, versions: Value| {
            told(
                json!({"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": versions}}),
            )
        };
        assert_eq!(webhook(json!({"service": service}), json!(["v1"])), [""; 0]);
        assert_eq!(webhook(json!({"url": "https://a"}), json!(["v9", "v1beta1"])), [""; 0]);
        assert_eq!(
            webhook(json!({"url": "https://a", "service": service}), json!(["v9", "v9"])),
            [
                "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
                "spec.conversion.conversionReviewVersions[1]: Invalid value: \"v9\": duplicate version",
                "spec.conversion.conversionReviewVersions: Invalid value: []string{\"v9\", \"v9\"}: must include at least one of v1, v1beta1"
            ]
        );
        assert_eq!(
            told(json!({"strategy": "Webhook"})),
            [
                "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
                "spec.conversion.conversionReviewVersions: Required value"
            ]
        );
    }

    #[test]
    fn without_one_nothing_of_it_is_said() {
        assert_eq!(told(json!({"strategy": "None"})), [""; 0]);
        let webhook = json!({"clientConfig": {}, "conversionReviewVersions": ["v1"]});
        assert_eq!(
            told(json!({"strategy": "Odd", "webhook": webhook})),
            [
                "spec.conversion.strategy: Unsupported value: \"Odd\": supported values: \"None\", \"Webhook\"",
                "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
                "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook"
            ]
        );
    }
}
