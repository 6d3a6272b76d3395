//! The status of ResourceQuotas.

use super::Happening;
use crate::kube::store::namespace_of;
use crate::kube::strategy::Part;
use crate::kube::{Cluster, tree};

impl Cluster {
    /// Counts anew what a namespace uses when something in it comes, changes or goes.
    pub(super) fn count_quotas(&mut self, happening: &Happening<'_>) {
        let Some(quotas) = Cluster::built_in("", "resourcequotas") else { return };
        if self.store.count(quotas.storage) == 0 {
            return;
        }
        let path = happening.write.object.path.clone();
        let Some(namespace) = namespace_of(&path) else { return };
        let found = self.store.list(quotas.storage, Some(namespace));
        let changed: Vec<_> = found
            .iter()
            .filter_map(|found| {
                let quota = self.value(&quotas, &found.version);
                let status = self.quota_status(namespace, &quota);
                (quota["status"] != status).then(|| (found.path.to_string(), status))
            })
            .collect();
        for (path, status) in changed {
            self.amend(&quotas, &path, Part::Status, |quota| tree::set(quota, &["status"], status));
        }
    }
}
