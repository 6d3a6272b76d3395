//! How kubectl writes spans of time: the shorter, the finer (apimachinery `util/duration`).

use jiff::Timestamp;

/// The span from `at` to `now`.
pub(super) fn since(at: Timestamp, now: Timestamp) -> String {
    human(now.duration_since(at).as_secs())
}

/// A span in seconds; one before now by more than clocks differ is `<invalid>`.
pub(super) fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..=-2 => "<invalid>".into(),
        -1 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

fn pair(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_kubectl_writes_them() {
        // Cases of apimachinery's util/duration/duration_test.go, TestHumanDuration.
        const M: i64 = 60;
        const H: i64 = 3600;
        const D: i64 = 24 * H;
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (1, "1s"),
            (70, "70s"),
            (119, "119s"),
            (120, "2m"),
            (190, "3m10s"),
            (10 * M, "10m"),
            (70 * M, "70m"),
            (179 * M, "179m"),
            (3 * H, "3h"),
            (3 * H + 10 * M, "3h10m"),
            (47 * H, "47h"),
            (49 * H, "2d1h"),
            (2 * D, "2d"),
            (8 * D, "8d"),
            (9 * D + 2 * H, "9d"),
            (364 * D, "364d"),
            (365 * D, "365d"),
            (729 * D, "729d"),
            (730 * D, "2y"),
            (2 * 365 * D + D, "2y1d"),
            (8 * 365 * D, "8y"),
            (9 * 365 * D + 5 * D, "9y"),
        ] {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }
}
