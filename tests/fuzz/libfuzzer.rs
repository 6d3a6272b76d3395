//! The target that `FUZZ_TARGET` names, under libFuzzer.

#![no_main]

mod targets;

use std::sync::LazyLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match name.as_str() {
        "tunnel_message" => targets::tunnel_message,
        "tunnel_session" => targets::tunnel_session,
        "http1_requests" => targets::http1_requests,
        "http1_responses" => targets::http1_responses,
        "kube" => targets::kube,
        "patch_json" => targets::patch_json,
        "patch_merge" => targets::patch_merge,
        "patch_strategic" => targets::patch_strategic,
        "patch_apply" => targets::patch_apply,
        "protobuf" => targets::protobuf,
        "selectors" => targets::selectors,
        "cluster_template" => targets::cluster_template,
        "configuration" => targets::configuration,
        "scenario" => targets::scenario,
        "profile" => targets::profile,
        "expressions" => targets::expressions,
        "rest_bodies" => targets::rest_bodies,
        "reports" => targets::reports,
        "rancher_answers" => targets::rancher_answers,
        "sealed_values" => targets::sealed_values,
        "journal" => targets::journal,
        _ => panic!("FUZZ_TARGET names no function of targets.rs: {name:?}"),
    }
});
