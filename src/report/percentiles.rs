//! Percentiles of a distribution of times.

use crate::ramp::Distribution;
use serde::{Deserialize, Serialize};

/// How a set of times is distributed, in seconds with an error below 0.1 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Percentiles {
    /// How many times there were.
    pub count: u64,
    pub min_seconds: f64,
    pub mean_seconds: f64,
    /// Half of them were at most this long.
    pub p50_seconds: f64,
    pub p90_seconds: f64,
    pub p95_seconds: f64,
    pub p99_seconds: f64,
    /// 99.9 % of them were at most this long.
    pub p999_seconds: f64,
    pub max_seconds: f64,
}

impl Percentiles {
    /// Those of a distribution; `None` when there is nothing in it.
    pub fn of(times: &Distribution) -> Option<Percentiles> {
        Some(Percentiles {
            count: times.count(),
            min_seconds: times.min()?,
            mean_seconds: times.mean()?,
            p50_seconds: times.quantile(0.50)?,
            p90_seconds: times.quantile(0.90)?,
            p95_seconds: times.quantile(0.95)?,
            p99_seconds: times.quantile(0.99)?,
            p999_seconds: times.quantile(0.999)?,
            max_seconds: times.max()?,
        })
    }
}
