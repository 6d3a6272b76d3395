//! Figures as people read them: three significant digits and a unit.

use std::time::Duration;

/// A duration in the unit that fits: `850 µs`, `12.3 ms`, `4.20 s`, `2 min 05 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 99.95 {
        let whole = seconds.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else if seconds >= 0.9995 {
        format!("{} s", three_digits(seconds))
    } else if seconds >= 0.000_999_5 {
        format!("{} ms", three_digits(seconds * 1e3))
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

/// An amount of memory in binary units: `512 B`, `36.2 KiB`, `1.35 GiB`; a loss with a minus sign.
pub fn bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    let magnitude = bytes.unsigned_abs() as f64;
    if magnitude < 999.5 {
        return format!("{sign}{magnitude:.0} B");
    }
    let mut scaled = magnitude / 1024.0;
    let mut unit = "KiB";
    for next in ["MiB", "GiB", "TiB"] {
        if scaled < 999.5 {
            break;
        }
        scaled /= 1024.0;
        unit = next;
    }
    format!("{sign}{} {unit}", three_digits(scaled))
}

/// A whole number with thousands separated: `28,232`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `value` (at most 999) with three significant digits.
pub(super) fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (microseconds, text) in [
            (0, "0 µs"),
            (850, "850 µs"),
            (1_000, "1.00 ms"),
            (12_345, "12.3 ms"),
            (999_400, "999 ms"),
            (999_600, "1.00 s"),
            (4_204_000, "4.20 s"),
            (99_940_000, "99.9 s"),
            (99_960_000, "1 min 40 s"),
            (3_725_000_000, "62 min 05 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(microseconds)), text);
        }
    }

    #[test]
    fn sizes() {
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "0.98 KiB"),
            (1_024, "1.00 KiB"),
            (37_069, "36.2 KiB"),
            (1_048_576, "1.00 MiB"),
            (1_449_551_462, "1.35 GiB"),
            (-2_048, "-2.00 KiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn counts() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (28_232, "28,232"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }
}
