//! Resources by group and version, in the order discovery tells them.

use crate::kube::Resource;
use crate::kube::catalog::{api_version, builtin};

/// An API group.
#[derive(Debug)]
pub struct Group<'a> {
    /// Its name; empty for the core group.
    pub name: &'a str,
    /// Its versions, the preferred one first.
    pub versions: Vec<GroupVersion<'a>>,
}

/// A version of a group.
#[derive(Debug)]
pub struct GroupVersion<'a> {
    /// Its name.
    pub version: &'a str,
    /// What is served under it.
    pub resources: Vec<&'a Resource>,
}

impl Group<'_> {
    /// Whether this is the group without a name, which is served under `/api`.
    pub fn is_core(&self) -> bool {
        self.name.is_empty()
    }

    /// `v1` or `apps/v1`.
    pub fn api_version(&self, version: &GroupVersion<'_>) -> String {
        api_version(self.name, version.version)
    }
}

/// The groups of the built-in and the `custom` kinds: the built-in ones by priority, then the others by name.
pub fn groups<'a>(custom: &[&'a Resource]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let builtin: &'a [Resource] = builtin();
    for resource in builtin {
        add(&mut groups, resource);
    }
    let by_name = groups.len();
    for resource in custom {
        add(&mut groups, resource);
    }
    groups[by_name..].sort_by_key(|group| group.name);
    for group in &mut groups {
        if group.versions.iter().any(|version| version.resources.iter().any(|resource| resource.custom)) {
            group.versions.sort_by_key(|version| std::cmp::Reverse(priority(version.version)));
        }
    }
    groups
}

fn add<'a>(groups: &mut Vec<Group<'a>>, resource: &'a Resource) {
    let name = resource.group.as_ref();
    let at = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
        groups.push(Group { name, versions: Vec::new() });
        groups.len() - 1
    });
    let versions = &mut groups[at].versions;
    let version = resource.version.as_ref();
    match versions.iter_mut().find(|found| found.version == version) {
        Some(found) => found.resources.push(resource),
        None => versions.push(GroupVersion { version, resources: vec![resource] }),
    }
}

/// How a version ranks (Kubernetes documentation, "Version priority"): `v10` before `v2`, those before `v3beta1`, those before
/// `v12alpha1`, those before anything else, which comes by name.
fn priority(version: &str) -> (u8, u64, u64, std::cmp::Reverse<String>) {
    let other = || (0, 0, 0, std::cmp::Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else { return other() };
    let (major, stage, minor) = match (rest.split_once("beta"), rest.split_once("alpha")) {
        (Some((major, minor)), _) => (major, 2, minor),
        (_, Some((major, minor))) => (major, 1, minor),
        _ => (rest, 3, "0"),
    };
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => (stage, major, minor, std::cmp::Reverse(String::new())),
        _ => other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_as_documented() {
        // The list in the Kubernetes documentation, "Versions in CustomResourceDefinitions".
        let documented =
            ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"];
        let mut shuffled = documented;
        shuffled.reverse();
        shuffled.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(shuffled, documented);
    }
}
