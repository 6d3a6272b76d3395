//! What so many clusters cost Rancher, by its own documentation.

use super::Finding;
use crate::report::units;

/// What it means for a Rancher that has `present` clusters to get `wanted` more.
pub(super) fn findings(present: Option<u64>, wanted: u32) -> Vec<Finding> {
    let total = present.unwrap_or(0) + u64::from(wanted);
    let known = match present {
        Some(present) => format!("{} clusters there and {} more", units::count(present), units::count(wanted.into())),
        None => format!("{} clusters", units::count(wanted.into())),
    };
    vec![size(&known, total), role_bindings(&known, total)]
}

fn size(known: &str, total: u64) -> Finding {
    let fitting = SIZES.iter().find(|size| total <= size.clusters);
    match fitting {
        Some(Size { name, cpus, memory_gb, .. }) => Finding::ok(
            "Rancher's size",
            format!("{known}: a {name} installation by its documentation, {cpus} CPUs and {memory_gb} GB on each node"),
        ),
        None => Finding::warn(
            "Rancher's size",
            format!("{known}: beyond the {} of its largest documented size", units::count(SIZES[2].clusters)),
            "expect to tune it (Rancher at scale: dedicated etcd on fast disks, RKE2, CATTLE_SYNC_ONLY_CHANGED_OBJECTS), and ramp up slowly",
        ),
    }
}

fn role_bindings(known: &str, total: u64) -> Finding {
    let bindings = total * ROLE_BINDINGS_PER_CLUSTER;
    let detail = format!(
        "{known}: at least {} RoleBindings, 32 a cluster and 8 for each of its two projects",
        units::count(bindings)
    );
    let guideline = units::count(OBJECTS_OF_A_KIND);
    match bindings {
        bindings if bindings <= OBJECTS_OF_A_KIND => Finding::ok("RoleBindings", detail),
        _ => Finding::warn(
            "RoleBindings",
            detail,
            format!(
                "Rancher's documentation expects trouble beyond {guideline} objects of a kind: that may be what you want to see; watch etcd"
            ),
        ),
    }
}

/// A documented size of installation.
struct Size {
    name: &'static str,
    clusters: u64,
    cpus: u32,
    memory_gb: u32,
}

/// Rancher's installation requirements for RKE2 and K3s.
const SIZES: [Size; 3] = [
    Size { name: "small", clusters: 150, cpus: 4, memory_gb: 16 },
    Size { name: "medium", clusters: 300, cpus: 8, memory_gb: 32 },
    Size { name: "large", clusters: 500, cpus: 16, memory_gb: 64 },
];
/// "Tuning and Best Practices for Rancher at Scale" estimates 32 a cluster and 8 a project, users not counted; every cluster gets the
/// projects Default and System.
const ROLE_BINDINGS_PER_CLUSTER: u64 = 32 + 2 * 8;
/// The same guide: more objects of one kind frequently cause trouble.
const OBJECTS_OF_A_KIND: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_guideline_is_met_at_1250_clusters() {
        for (present, wanted, verdicts) in [
            (Some(0), 150, [Verdict::Ok, Verdict::Ok]),
            (Some(250), 250, [Verdict::Ok, Verdict::Ok]),
            (None, 501, [Verdict::Warn, Verdict::Ok]),
            (Some(1_000), 250, [Verdict::Warn, Verdict::Ok]),
            (Some(1_000), 251, [Verdict::Warn, Verdict::Warn]),
        ] {
            let found: Vec<Verdict> = findings(present, wanted).iter().map(|finding| finding.verdict).collect();
            assert_eq!(found, verdicts, "{present:?} + {wanted}");
        }
        assert!(findings(Some(250), 250)[0].detail.contains("large"));
        assert!(findings(None, 2_000)[1].detail.contains("96,000"));
    }
}
