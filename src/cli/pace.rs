//! The flags of everything that brings up clusters by a plan.

use super::Failure;
use crate::config::parse_duration;
use crate::ramp::{MAX_CLUSTERS, Rate, Spec, SpecError, Stages, Threshold, parse_share};
use std::time::Duration;

/// When clusters start, how long they are held, and what has to hold.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plan")]
pub struct PaceArgs {
    /// How many clusters; with --stages as many as these start, unless fewer are given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CLUSTERS)))]
    pub clusters: Option<u32>,

    /// How many start a second, minute or hour, whatever becomes of those before: 5/s, 90/m.
    #[arg(long, value_name = "RATE", value_parser = parse_rate, conflicts_with = "stages")]
    pub rate: Option<Rate>,

    /// Stages, each a length and a rate, a rate that changes evenly, or `hold`: 2m:1/s,10m:1/s..10/s,30m:hold.
    #[arg(long, value_name = "STAGES", value_parser = parse_stages)]
    pub stages: Option<Stages>,

    /// How many may be on their way to Active; those that wait for it count from when they were to start.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CLUSTERS)))]
    pub max_in_flight: Option<u32>,

    /// Share of the time between two starts by which each is moved at random; of a --rate or --stages.
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = parse_share)]
    pub jitter: f64,

    /// Decides everything random; the same seed gives the same starts.
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=u64::from(u32::MAX)))]
    pub seed: u64,

    /// How long the clusters are held once each has become Active or failed.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub hold: Duration,

    /// A cluster that is not Active so long after its intended start has failed [default: 10m; of a rehearsal 5m].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,

    /// What has to hold, such as 'time_to_active:p(95)<120s' or 'failed:rate<1%'; may be repeated.
    #[arg(long = "threshold", value_name = "EXPRESSION", value_parser = parse_threshold)]
    pub thresholds: Vec<Threshold>,

    /// End as soon as a threshold does not hold.
    #[arg(long, requires = "thresholds")]
    pub abort_on_fail: bool,
}

/// What the clusters are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Clusters")]
pub(super) struct ShapeArgs {
    /// What the clusters' names begin with.
    #[arg(long, value_name = "TEXT", default_value = "ramp-")]
    prefix: String,

    /// The number of the first.
    #[arg(long, value_name = "N", default_value_t = 1)]
    start: u32,

    /// Digits of the number, with leading zeros; 0 writes it as it is.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(..=63))]
    width: u8,

    /// The template that they are made from: small, large, or one of the agent's templates folder.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,

    /// The Rancher to register them with, where the agent has several.
    #[arg(long, value_name = "NAME")]
    server: Option<String>,

    /// Take over clusters of these names that Rancher has already and that nothing is connected for.
    #[arg(long)]
    adopt: bool,
}

impl PaceArgs {
    /// The ramp that the flags describe.
    pub(super) fn spec(&self, shape: &ShapeArgs) -> Result<Spec, Failure> {
        let spec = Spec {
            prefix: shape.prefix.clone(),
            start: shape.start,
            width: shape.width,
            template: shape.template.clone(),
            server: shape.server.clone(),
            adopt: shape.adopt,
            ..Spec::default()
        };
        self.paced(spec)
    }

    /// A ramp of such clusters at the pace that the flags describe.
    pub(super) fn paced(&self, clusters: Spec) -> Result<Spec, Failure> {
        if self.jitter > 0.0 && self.rate.is_none() && self.stages.is_none() {
            let remedy = "give a --rate or --stages, or leave it out";
            return Err(Failure::new("--jitter: there is no time between starts to move them in")
                .remedy(remedy)
                .usage());
        }
        let mut spec = Spec {
            clusters: self.clusters.unwrap_or(clusters.clusters),
            stages: self.stages.clone(),
            jitter: self.jitter,
            seed: self.seed,
            max_in_flight: self.max_in_flight.or(clusters.max_in_flight),
            timeout: self.timeout.unwrap_or(clusters.timeout),
            hold: self.hold,
            thresholds: self.thresholds.clone(),
            abort_on_fail: self.abort_on_fail,
            ..clusters
        };
        if self.clusters.is_none() && self.stages.is_some() {
            spec.clusters = 0;
        }
        let wrong = |SpecError { field, problem, .. }: SpecError| {
            let remedy = "for example --clusters 2000 --rate 5/s, or --stages 2m:1/s,10m:10/s,30m:hold";
            Failure::new(format!("--{field}: {problem}")).remedy(remedy).usage()
        };
        spec.pace(self.rate.clone()).map_err(wrong)?;
        Ok(spec)
    }
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    Rate::parse(text).map_err(|misread| misread.pointed())
}

fn parse_stages(text: &str) -> Result<Stages, String> {
    Stages::parse(text).map_err(|misread| misread.pointed())
}

fn parse_threshold(text: &str) -> Result<Threshold, String> {
    Threshold::parse(text).map_err(|misread| misread.pointed())
}
