//! What a CronJob's schedule may say, in the words of the library that an API server reads it with (`robfig/cron` v3).

use crate::kube::Cause;
use crate::kube::response::quote::quote;
use serde_json::Value;

/// What is wrong with a schedule; that it is not empty is another rule.
pub(super) fn problems(schedule: &Value, causes: &mut Vec<Cause>) {
    let text = schedule.as_str().unwrap_or_default();
    if text.is_empty() {
        return;
    }
    if let Err(problem) = parse(text) {
        causes.push(Cause::invalid("spec.schedule", schedule, &problem));
    }
    if text.contains("TZ") {
        let problem = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        causes.push(Cause::invalid("spec.schedule", schedule, problem));
    }
}

fn parse(text: &str) -> Result<(), String> {
    let text = match ["TZ=", "CRON_TZ="].iter().any(|zone| text.starts_with(zone)) {
        true => text.split_once(' ').map_or("", |(_, rest)| rest.trim()),
        false => text,
    };
    if text.starts_with('@') {
        // How often is a duration of Go, which nobody uses here.
        let is_known = DESCRIPTORS.contains(&text) || text.starts_with("@every ");
        return if is_known { Ok(()) } else { Err(format!("unrecognized descriptor: {text}")) };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    for (field, bounds) in fields.iter().zip(&FIELDS) {
        for range in field.split(',').filter(|range| !range.is_empty()) {
            check_range(range, bounds)?;
        }
    }
    Ok(())
}

fn check_range(range: &str, (low, high, names): &Bounds) -> Result<(), String> {
    let parts: Vec<&str> = range.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?", ..] => (*low, *high),
        [only] => {
            let only = number(only, names)?;
            (only, only)
        }
        [first, last] => (number(first, names)?, number(last, names)?),
        _ => return Err(format!("too many hyphens: {range}")),
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            if ends.len() == 1 {
                end = *high;
            }
            number(step, &[])?
        }
        _ => return Err(format!("too many slashes: {range}")),
    };
    if start < *low {
        return Err(format!("beginning of range ({start}) below minimum ({low}): {range}"));
    }
    if end > *high {
        return Err(format!("end of range ({end}) above maximum ({high}): {range}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {range}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {range}"));
    }
    Ok(())
}

fn number(text: &str, names: &[&str]) -> Result<i64, String> {
    // The names are of months, which begin with one, or of weekdays, which do not.
    let first = i64::from(names.len() == 12);
    if let Some(place) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(first + place as i64);
    }
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(number),
        Err(_) => {
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {}: invalid syntax", quote(text)))
        }
    }
}

/// The least and the most that a field takes, and the names it knows.
type Bounds = (i64, i64, &'static [&'static str]);

const FIELDS: [Bounds; 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];
const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn schedules_are_read_as_the_library_reads_them() {
        for good in ["* * * * *", "*/5 0-6/2 1,15 jan-MAR mon", "0 0 ? * 6", "5/10 * * * *", "@hourly", "@every 1h30m"]
        {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for (bad, problem) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("@sometimes", "unrecognized descriptor: @sometimes"),
        ] {
            assert_eq!(parse(bad), Err(problem.to_owned()), "{bad}");
        }
    }

    #[test]
    fn a_zone_has_a_field_of_its_own() {
        let mut causes = Vec::new();
        problems(&"TZ=UTC 0 0 * * *".into(), &mut causes);
        let told: Vec<&str> = causes.iter().map(|cause| cause.message.as_str()).collect();
        assert_eq!(
            told,
            ["Invalid value: \"TZ=UTC 0 0 * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-*/,?@0-9a-zTZ= ]{0,30}") {
            _ = parse(&text);
        }
    }
}
