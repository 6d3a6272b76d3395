//! Which clusters a request is about, as the audit log names them: one by its name, many by a prefix and a star or by a selection.

use super::call::Call;
use crate::manager::{Action, Answer};

/// As far as the request says, before anybody knows whether it makes sense.
pub(super) fn of_call(call: &Call) -> Option<String> {
    let one = Some(call.name("name")).filter(|name| !name.is_empty()).or_else(|| call.body.text("name"));
    let many = || call.body.text("prefix").or_else(|| call.query.text("prefix")).map(|prefix| of_prefix(&prefix, None));
    one.or_else(many).or_else(|| call.body.text("select"))
}

/// Of what makes sense, where the action says more than the request did.
pub(super) fn of_action(action: &Action) -> Option<String> {
    match action {
        Action::CreateMany(spec) | Action::StartRamp(spec) => Some(of_prefix(&spec.prefix, None)),
        Action::DeleteMany(which) => Some(of_prefix(&which.prefix, which.run.as_deref())),
        Action::Inject(injection) => Some(injection.selection.to_string()),
        _ => None,
    }
}

/// Of a ramp, an operation or a fault that the request had no more of than its number.
pub(super) fn of_answer(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Ramp(ramp) => Some(of_prefix(&ramp.prefix, None)),
        Answer::Operation(operation) => Some(of_prefix(&operation.prefix, operation.run.as_deref())),
        Answer::Fault(fault) => Some(fault.select.clone()),
        _ => None,
    }
}

fn of_prefix(prefix: &str, run: Option<&str>) -> String {
    run.map_or_else(|| format!("{prefix}*"), |run| format!("{prefix}*,run={run}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Injection;
    use crate::manager::Which;
    use crate::ramp::Spec;
    use serde_json::json;

    #[test]
    fn what_is_done_to_many_names_them() {
        let inject = |body: serde_json::Value| {
            let injection = Injection::from_json(body.as_object().unwrap()).unwrap();
            of_action(&Action::Inject(Box::new(injection)))
        };
        assert_eq!(inject(json!({"fault": "drop", "select": "10%,prefix=edge-"})).as_deref(), Some("prefix=edge-,10%"));
        assert_eq!(inject(json!({"fault": "drop"})).as_deref(), Some("all"));
        let delete = |prefix: &str, run: Option<&str>| {
            of_action(&Action::DeleteMany(Which { prefix: prefix.into(), run: run.map(str::to_owned) }))
        };
        assert_eq!(delete("edge-", None).as_deref(), Some("edge-*"));
        assert_eq!(delete("edge-", Some("r1")).as_deref(), Some("edge-*,run=r1"));
        assert_eq!(delete("", Some("r1")).as_deref(), Some("*,run=r1"));
        assert_eq!(of_action(&Action::StartRamp(Box::default())), Some(format!("{}*", Spec::default().prefix)));
    }
}
