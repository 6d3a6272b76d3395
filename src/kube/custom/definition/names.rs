//! Names of kinds: how they are made, and which of them a definition is given (apiextensions `NamingConditionController`).

use crate::kube::Cause;
use crate::kube::names::check_label_1035;
use crate::kube::response::quote::quote;
use crate::kube::tree::{items, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The names that kinds of a group have.
#[derive(Debug, Default)]
pub(in crate::kube) struct Taken {
    /// In paths: plurals, singulars, short names.
    pub resources: BTreeSet<String>,
    /// In objects: kinds and list kinds.
    pub kinds: BTreeSet<String>,
}

/// What a definition gets of the names that it asks for, with the reason and the message of the last that it does not get.
pub(super) fn granted(
    wanted: &Value,
    held: &Value,
    taken: &Taken,
) -> (Map<String, Value>, Option<(&'static str, String)>) {
    let mut names = Map::new();
    let mut conflict = None;
    let problem = |name: &str, held: &str, taken: &BTreeSet<String>| {
        (name != held && taken.contains(name)).then(|| format!("{} is already in use", quote(name)))
    };
    for (field, taken, reason) in [
        ("plural", &taken.resources, "PluralConflict"),
        ("singular", &taken.resources, "SingularConflict"),
        ("shortNames", &taken.resources, "ShortNamesConflict"),
        ("kind", &taken.kinds, "KindConflict"),
        ("listKind", &taken.kinds, "ListKindConflict"),
    ] {
        let problems: Vec<String> = match &wanted[field] {
            Value::Array(short) => {
                let new = short.iter().filter(|name| !items(&held[field]).any(|held| held == *name));
                new.filter_map(|name| problem(text(name), "", taken)).collect()
            }
            name => problem(text(name), text(&held[field]), taken).into_iter().collect(),
        };
        let given = if problems.is_empty() { &wanted[field] } else { &held[field] };
        if !(given.is_null() || given.as_array().is_some_and(Vec::is_empty)) {
            names.insert(field.into(), given.clone());
        }
        match problems.as_slice() {
            [] => {}
            [problem] => conflict = Some((reason, problem.clone())),
            several => conflict = Some((reason, format!("[{}]", several.join(", ")))),
        }
    }
    if items(&wanted["categories"]).next().is_some() {
        names.insert("categories".into(), wanted["categories"].clone());
    }
    // These are shown even if they are empty.
    for field in ["plural", "kind"] {
        names.entry(field).or_insert_with(|| json!(""));
    }
    (names, conflict)
}

/// What is wrong with how names are made.
pub(super) fn problems(names: &Value, causes: &mut Vec<Cause>) {
    for field in ["plural", "singular", "kind", "listKind"] {
        if text(&names[field]).is_empty() {
            causes.push(Cause::required(format!("spec.names.{field}"), ""));
        }
    }
    let mut label = |field: String, value: &Value, name: &str, before: &str| {
        let problems = check_label_1035(name);
        if !problems.is_empty() {
            causes.push(Cause::invalid(field, value, &format!("{before}{}", problems.join(","))));
        }
    };
    for (field, before) in [("plural", ""), ("singular", ""), ("kind", MIXED_CASE), ("listKind", MIXED_CASE)] {
        let name = text(&names[field]);
        let name = if before.is_empty() { name.to_owned() } else { name.to_lowercase() };
        if !name.is_empty() {
            label(format!("spec.names.{field}"), &names[field], &name, before);
        }
    }
    for (index, name) in items(&names["shortNames"]).enumerate() {
        label(format!("spec.names.shortNames[{index}]"), name, text(name), "");
    }
    let categories = causes.len();
    for (index, name) in items(&names["categories"]).enumerate() {
        let problems = check_label_1035(text(name));
        if !problems.is_empty() {
            causes.push(Cause::invalid(format!("spec.names.categories[{index}]"), name, &problems.join(",")));
        }
    }
    if !text(&names["kind"]).is_empty() && names["kind"] == names["listKind"] {
        let problem = "kind and listKind may not be the same";
        causes.insert(categories, Cause::invalid("spec.names.listKind", &names["listKind"], problem));
    }
}

const MIXED_CASE: &str = "may have mixed case, but should otherwise match: ";

#[cfg(test)]
mod tests {
    use super::*;

    fn taken() -> Taken {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Taken { resources: set(&["widgets", "widget", "wd"]), kinds: set(&["Widget", "WidgetList"]) }
    }

    #[test]
    fn a_name_that_is_in_use_is_not_given() {
        // Answer of a kube-apiserver 1.31.
        let wanted = json!({"plural": "gadgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"});
        let (names, conflict) = granted(&wanted, &json!({"plural": "", "kind": ""}), &taken());
        assert_eq!(Value::Object(names), json!({"plural": "gadgets", "kind": ""}));
        assert_eq!(conflict, Some(("ListKindConflict", "\"WidgetList\" is already in use".to_owned())));
    }

    #[test]
    fn what_a_definition_has_it_keeps() {
        let held = json!({"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList", "shortNames": ["wd"]});
        let mut wanted = held.clone();
        wanted["shortNames"] = json!(["wd", "w"]);
        wanted["categories"] = json!(["all"]);
        let (names, conflict) = granted(&wanted, &held, &taken());
        assert_eq!((Value::Object(names), conflict), (wanted.clone(), None));
        let mut others = taken();
        others.resources.extend(["w".to_owned(), "x".to_owned()]);
        wanted["shortNames"] = json!(["wd", "w", "x"]);
        let (names, conflict) = granted(&wanted, &held, &others);
        assert_eq!(names["shortNames"], json!(["wd"]));
        assert_eq!(
            conflict,
            Some(("ShortNamesConflict", "[\"w\" is already in use, \"x\" is already in use]".to_owned()))
        );
    }

    #[test]
    fn names_are_made_as_labels_are() {
        let told = |names: Value| {
            let mut causes = Vec::new();
            problems(&names, &mut causes);
            causes.into_iter().map(|cause| cause.field).collect::<Vec<_>>()
        };
        let good = json!({"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"});
        assert_eq!(told(good.clone()), [""; 0]);
        let mut bad = good;
        bad["plural"] = json!("Widgets");
        bad["kind"] = json!("Wid_get");
        bad["listKind"] = json!("Wid_get");
        bad["shortNames"] = json!(["a", "1"]);
        bad["categories"] = json!(["All"]);
        assert_eq!(
            told(bad),
            [
                "spec.names.plural",
                "spec.names.kind",
                "spec.names.listKind",
                "spec.names.shortNames[1]",
                "spec.names.listKind",
                "spec.names.categories[0]"
            ]
        );
        assert_eq!(told(json!({})).len(), 4);
    }
}
