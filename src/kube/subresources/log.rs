//! `pods/<name>/log`: what a container might have printed, the same whenever it is asked for.

use crate::kube::object::Stamp;
use crate::kube::request::dispatch::Call;
use crate::kube::response::body::Streaming;
use crate::kube::response::render::response;
use crate::kube::store::Version;
use crate::kube::{Body, Cluster, Progress, Response, Status};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The log of a container that is read to its end, or followed.
#[derive(Debug)]
pub(in crate::kube) struct Log {
    path: String,
    printed: Printed,
    /// The number of the next line.
    next: u64,
    with_times: bool,
    follows: bool,
    bytes_left: u64,
}

/// Lines at regular times, from the start of a container on.
#[derive(Debug)]
struct Printed {
    container: String,
    seed: u64,
    from: Timestamp,
    /// When it ended, if it did.
    until: Option<Timestamp>,
}

/// What is asked of a log (core `PodLogOptions`).
#[derive(Debug, Default)]
struct Options {
    container: Option<String>,
    follows: bool,
    previous: bool,
    with_times: bool,
    since: Option<Timestamp>,
    tail: Option<u64>,
    limit_bytes: Option<u64>,
}

impl Cluster {
    /// The log of one container of a pod.
    pub(super) fn pod_log(&self, call: &Call<'_>) -> Result<Response, Status> {
        let found = self.store.get(call.served.storage, &call.key());
        let version = found.ok_or_else(|| Status::not_found(&call.served, call.name()))?;
        let pod = self.value(&call.served, &version);
        let options = Options::parse(call.request.path_and_query().1, call.now)?;
        let container = choose(&pod, call.name(), options.container.as_deref())?;
        let printed = self.printed(&pod, &version, call.name(), container, options.previous)?;
        let last = printed.lines_until(call.now);
        let mut next = last.saturating_sub(KEPT_LINES);
        if let Some(since) = options.since {
            next = next.max(printed.lines_until(since));
        }
        if let Some(tail) = options.tail {
            next = next.max(last.saturating_sub(tail));
        }
        let log = Log {
            path: call.key(),
            next,
            with_times: options.with_times,
            follows: options.follows && printed.until.is_none(),
            bytes_left: options.limit_bytes.unwrap_or(u64::MAX),
            printed,
        };
        Ok(response(200, "text/plain", Body::Streaming(Streaming::log(log))))
    }

    fn has_pod(&self, path: &str) -> bool {
        Cluster::built_in("", "pods").is_some_and(|pods| self.store.get(pods.storage, path).is_some())
    }

    fn printed(
        &self,
        pod: &Value,
        version: &Version,
        name: &str,
        container: &str,
        previous: bool,
    ) -> Result<Printed, Status> {
        let statuses = ["containerStatuses", "initContainerStatuses"];
        let mut statuses = statuses.into_iter().filter_map(|list| pod["status"][list].as_array()).flatten();
        let status = statuses.find(|status| status["name"] == *container).unwrap_or(&Value::Null);
        if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
            return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
        }
        let state = if previous { &status["lastState"] } else { &status["state"] };
        if previous && state["terminated"].is_null() {
            return Err(Status::bad_request(format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            )));
        }
        if let Some(reason) = state["waiting"]["reason"].as_str() {
            let what = if ["ErrImagePull", "ImagePullBackOff"].contains(&reason) { PULLING } else { reason };
            return Err(Status::bad_request(format!(
                "container \"{container}\" in pod \"{name}\" is waiting to start: {what}"
            )));
        }
        let Stamp { uid, created_s, .. } = self.store.stamp(version);
        let moment = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let created = Timestamp::from_second(created_s).unwrap_or_default();
        let ended = &state["terminated"];
        let started = moment(&state["running"]["startedAt"]).or_else(|| moment(&ended["startedAt"])).unwrap_or(created);
        let seed = container.bytes().fold(uid.spread(), |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        Ok(Printed { container: container.to_owned(), seed, from: started, until: moment(&ended["finishedAt"]) })
    }
}

impl Log {
    /// Appends about `budget` bytes of lines.
    pub(in crate::kube) fn poll(
        &mut self,
        cluster: &Cluster,
        now: Timestamp,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> Progress {
        let start = out.len();
        let end = self.printed.lines_until(now);
        while self.next < end && self.bytes_left > 0 {
            if out.len() - start >= budget.max(1) {
                return Progress::More;
            }
            let line = self.printed.line(self.next, self.with_times);
            let taken = line.len().min(usize::try_from(self.bytes_left).unwrap_or(usize::MAX));
            out.extend_from_slice(&line.as_bytes()[..taken]);
            self.bytes_left -= taken as u64;
            self.next += 1;
        }
        let goes_on = self.follows && self.bytes_left > 0 && cluster.has_pod(&self.path);
        if goes_on { Progress::Idle } else { Progress::Done }
    }

    /// When the next line is printed.
    pub(in crate::kube) fn wake_at(&self) -> Timestamp {
        self.printed.at(self.next)
    }
}

impl Printed {
    /// How many lines were printed by `now`.
    fn lines_until(&self, now: Timestamp) -> u64 {
        let now = self.until.map_or(now, |until| now.min(until));
        let ms = now.duration_since(self.from).as_millis();
        u64::try_from(ms).map_or(0, |ms| ms / self.period_ms() + 1)
    }

    fn at(&self, line: u64) -> Timestamp {
        let ms = i64::try_from(line.saturating_mul(self.period_ms())).unwrap_or(i64::MAX);
        self.from.saturating_add(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
    }

    /// Each container has a pace of its own.
    fn period_ms(&self) -> u64 {
        FASTEST_MS + self.seed % (SLOWEST_MS - FASTEST_MS)
    }

    fn line(&self, number: u64, with_time: bool) -> String {
        let time = format!("{:.9}", self.at(number));
        let random = (self.seed ^ number).wrapping_mul(FNV_PRIME).rotate_left(23);
        let text = match number {
            0 => format!("level=info msg=\"starting {}\"", self.container),
            1 => "level=info msg=\"ready\"".to_owned(),
            _ => {
                let what = SAYINGS[(random % SAYINGS.len() as u64) as usize];
                format!("level=info msg=\"{what}\" seq={number} duration={}ms", random >> 32 & 0x7f)
            }
        };
        if with_time { format!("{time} time=\"{time}\" {text}\n") } else { format!("time=\"{time}\" {text}\n") }
    }
}

impl Options {
    fn parse(query: &str, now: Timestamp) -> Result<Options, Status> {
        let mut options = Options::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            let number = || {
                let number = value.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
                number.ok_or_else(|| {
                    Status::bad_request(format!("{name}: Invalid value: {value:?}: must be greater than or equal to 0"))
                })
            };
            match name {
                "container" => options.container = Some(value.into_owned()).filter(|name| !name.is_empty()),
                "follow" => options.follows = value == "true" || value == "1",
                "previous" => options.previous = value == "true" || value == "1",
                "timestamps" => options.with_times = value == "true" || value == "1",
                "sinceSeconds" => {
                    let seconds = i64::try_from(number()?).unwrap_or(i64::MAX);
                    options.since = now.checked_sub(SignedDuration::from_secs(seconds)).ok();
                }
                "sinceTime" => options.since = value.parse().ok(),
                "tailLines" => options.tail = Some(number()?),
                "limitBytes" => options.limit_bytes = Some(number()?),
                _ => {}
            }
        }
        Ok(options)
    }
}

/// The container that is meant.
pub(super) fn choose<'a>(pod: &'a Value, name: &str, wanted: Option<&str>) -> Result<&'a str, Status> {
    let names = |list: &str| -> Vec<&'a str> {
        let list = pod["spec"][list].as_array().into_iter().flatten();
        list.filter_map(|container| container["name"].as_str()).collect()
    };
    let (containers, initial) = (names("containers"), names("initContainers"));
    let default = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    match wanted {
        Some(wanted) => {
            let known = containers.iter().chain(&initial).find(|known| **known == wanted);
            known.copied().ok_or_else(|| Status::bad_request(format!("container {wanted} is not valid for pod {name}")))
        }
        None if containers.len() == 1 => Ok(containers[0]),
        None => {
            default.and_then(|default| containers.iter().find(|known| **known == default).copied()).ok_or_else(|| {
                let initial = match initial.is_empty() {
                    true => String::new(),
                    false => format!(" or one of the init containers: [{}]", initial.join(" ")),
                };
                let choice = containers.join(" ");
                Status::bad_request(format!(
                    "a container name must be specified for pod {name}, choose one of: [{choice}]{initial}"
                ))
            })
        }
    }
}

/// How a kubelet calls it when an image cannot be had.
const PULLING: &str = "trying and failing to pull image";
/// What a program that has nothing to do says.
const SAYINGS: [&str; 6] =
    ["reconciled", "health check passed", "cache refreshed", "lease renewed", "request served", "nothing to do"];
/// What a container prints at most and at least: a line in these times.
const FASTEST_MS: u64 = 4_000;
const SLOWEST_MS: u64 = 16_000;
/// Lines that a kubelet keeps of a container: older ones were rotated away.
const KEPT_LINES: u64 = 2_000;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests {
    use crate::http1::Method;
    use crate::kube::testing::Bench;

    const LOG: &str = "/api/v1/namespaces/web/pods/web-1/log";

    fn lines(bench: &mut Bench, query: &str) -> Vec<String> {
        let answer = bench.call(Method::Get, &format!("{LOG}?{query}"), &[], b"").ok();
        answer.as_str().unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_log_grows_with_time_and_never_changes() {
        let mut bench = Bench::new();
        assert_eq!(lines(&mut bench, "").len(), 1);
        bench.pass(600);
        let all = lines(&mut bench, "");
        assert!((30..=151).contains(&all.len()), "{}", all.len());
        assert!(all[0].contains("starting main"), "{}", all[0]);
        assert_eq!(lines(&mut bench, "tailLines=5"), all[all.len() - 5..]);
        let recent = lines(&mut bench, "sinceSeconds=60");
        assert!((3..=16).contains(&recent.len()) && all.ends_with(&recent), "{recent:?}");
        assert_eq!(lines(&mut bench, "limitBytes=10").concat().len(), 10);
        assert!(lines(&mut bench, "timestamps=true")[0].starts_with("2026-01-01T00:00:00.000000000Z time="));
        bench.pass(60);
        assert!(lines(&mut bench, "").starts_with(&all));
    }

    #[test]
    fn a_log_is_followed_until_its_pod_goes() {
        let mut bench = Bench::new();
        let mut log = bench.watch(&format!("{LOG}?follow=true"));
        let mut read = |bench: &Bench| {
            let mut bytes = Vec::new();
            let mut progress = crate::kube::Progress::More;
            while progress == crate::kube::Progress::More {
                progress = log.streaming.poll(&bench.cluster, bench.now, &mut bytes, 1);
            }
            (String::from_utf8(bytes).unwrap().lines().count(), progress)
        };
        assert_eq!(read(&bench), (1, crate::kube::Progress::Idle));
        bench.pass(16);
        let (more, progress) = read(&bench);
        assert!((1..=4).contains(&more) && progress == crate::kube::Progress::Idle, "{more}");
        bench.delete("/api/v1/namespaces/web/pods/web-1").ok();
        assert_eq!(read(&bench), (0, crate::kube::Progress::Done));
    }

    #[test]
    fn what_has_no_log_is_refused() {
        let mut bench = Bench::new();
        let mut refused = |query: &str| bench.get(&format!("{LOG}?{query}")).message().to_owned();
        assert_eq!(refused("container=nope"), "container nope is not valid for pod web-1");
        assert_eq!(refused("previous=true"), "previous terminated container \"main\" in pod \"web-1\" not found");
        assert_eq!(bench.get("/api/v1/namespaces/web/pods/nope/log").code, 404);
    }
}
