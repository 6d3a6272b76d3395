//! When a CronJob is due: the five fields of cron, and the usual short forms.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A schedule in a time zone.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Bits of the minutes, hours, days, months and weekdays on which it is due.
    fields: [u64; 5],
    /// Whether days and weekdays are both given: then either is enough.
    either_day: bool,
    zone: TimeZone,
}

impl Schedule {
    /// Reads `minute hour day month weekday` or `@hourly` and its like; a zone that is not known here counts as UTC.
    pub(super) fn parse(text: &str, zone: Option<&str>) -> Result<Schedule, String> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            return Err(format!("expected exactly 5 fields, found {}: [{text}]", parts.len()));
        };
        let mut weekdays = field(weekday, 0, 7, &WEEKDAYS)?;
        // Both 0 and 7 are Sunday.
        weekdays |= weekdays >> 7 & 1;
        Ok(Schedule {
            fields: [
                field(minute, 0, 59, &[])?,
                field(hour, 0, 23, &[])?,
                field(day, 1, 31, &[])?,
                field(month, 1, 12, &MONTHS)?,
                weekdays,
            ],
            either_day: !is_any(day) && !is_any(weekday),
            zone: zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC),
        })
    }

    /// The first time after `now`; `None` if there is none within some years.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let mut at = minute_after(now)?;
        for _ in 0..MOST_STEPS {
            if self.is_due(at) {
                return Some(at);
            }
            let local = at.to_zoned(self.zone.clone());
            // A day or an hour that does not suit is left as a whole.
            let minutes = match (self.is_day(&local), self.has(1, local.hour())) {
                (false, _) => 24 * 60 - i64::from(local.hour()) * 60 - i64::from(local.minute()),
                (true, false) => 60 - i64::from(local.minute()),
                (true, true) => 1,
            };
            at = at.checked_add(SignedDuration::from_mins(minutes)).ok()?;
        }
        None
    }

    /// The latest time after `since` and not after `now`.
    pub(super) fn latest(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut latest = None;
        let mut at = since;
        while let Some(next) = self.next(at).filter(|next| *next <= now) {
            latest = Some(next);
            at = next;
        }
        latest
    }

    fn is_due(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone());
        self.is_day(&local) && self.has(1, local.hour()) && self.has(0, local.minute())
    }

    fn is_day(&self, local: &jiff::Zoned) -> bool {
        let (day, weekday) = (self.has(2, local.day()), self.has(4, local.weekday().to_sunday_zero_offset()));
        self.has(3, local.month()) && if self.either_day { day || weekday } else { day && weekday }
    }

    fn has(&self, field: usize, value: i8) -> bool {
        self.fields[field] >> value & 1 == 1
    }
}

/// The bits of a field: `*`, `a`, `a-b`, each with `/step`, in a list.
fn field(text: &str, low: u32, high: u32, names: &[&str]) -> Result<u64, String> {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u32 + low);
        let number = named.or_else(|| text.parse().ok()).filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| format!("{text:?} is no number from {low} to {high}"))
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (first, last) = match range.split_once('-') {
            _ if is_any(range) => (low, high),
            Some((first, last)) => (number(first)?, number(last)?),
            // A step goes on to the end of the field.
            None if step.is_some() => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        let step = step.map_or(Some(1), |step| step.parse::<usize>().ok()).filter(|step| *step > 0);
        let step = step.ok_or_else(|| format!("{part:?} has no step above 0"))?;
        if first > last {
            return Err(format!("{part:?} ends before it begins"));
        }
        bits |= (first..=last).step_by(step).fold(0, |bits, number| bits | 1 << number);
    }
    Ok(bits)
}

fn is_any(text: &str) -> bool {
    text == "*" || text == "?"
}

fn minute_after(now: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second((now.as_second().div_euclid(60) + 1) * 60).ok()
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Days of five years, and the hours and minutes of one day: beyond it nothing is due, as on 30 February.
const MOST_STEPS: usize = 5 * 366 + 24 + 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_found() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (schedule, zone, now, next) in [
            ("*/5 * * * *", None, "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
            ("0 3 * * *", None, "2026-01-01T03:00:30Z", "2026-01-02T03:00:00Z"),
            ("15,45 8-10/2 * * mon-fri", None, "2026-01-02T10:45:00Z", "2026-01-05T08:15:00Z"),
            ("0 0 29 2 *", None, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 13 * 5", None, "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z"),
            ("0 0 * * 7", None, "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("@hourly", None, "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z"),
        ] {
            assert_eq!(Schedule::parse(schedule, zone).unwrap().next(at(now)), Some(at(next)), "{schedule}");
        }
        assert_eq!(Schedule::parse("0 0 30 2 *", None).unwrap().next(at("2026-01-01T00:00:00Z")), None);
        let hourly = Schedule::parse("@hourly", None).unwrap();
        assert_eq!(
            hourly.latest(at("2026-01-01T00:00:00Z"), at("2026-01-01T02:30:00Z")),
            Some(at("2026-01-01T02:00:00Z"))
        );
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "a * * * *"] {
            assert!(Schedule::parse(text, None).is_err(), "{text}");
        }
    }
}
