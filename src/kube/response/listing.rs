//! A list on its way out, object by object.

use super::render::{Asked, columns};
use crate::kube::request::negotiate::Form;
use crate::kube::request::served::Served;
use crate::kube::store::Version;
use crate::kube::table::{self, Columns};
use crate::kube::{Cluster, Progress};
use serde_json::{Value, json};
use std::vec::IntoIter;

/// The objects of a list as they were when it was asked for; each is rendered when there is room for it.
#[derive(Debug)]
pub(in crate::kube) struct Listing {
    served: Served,
    asked: Asked,
    columns: Option<Columns>,
    metadata: Value,
    objects: IntoIter<Version>,
    is_begun: bool,
    is_first: bool,
    /// What was made before anybody asked for it.
    ahead: Vec<u8>,
}

impl Listing {
    /// A list with this `metadata`.
    pub(in crate::kube) fn new(served: Served, asked: Asked, metadata: Value, objects: Vec<Version>) -> Listing {
        let columns = matches!(asked.form, Form::Table(_)).then(|| columns(&served));
        Listing {
            served,
            asked,
            columns,
            metadata,
            objects: objects.into_iter(),
            is_begun: false,
            is_first: true,
            ahead: Vec::new(),
        }
    }

    /// The same, with `made` before what a poll makes next.
    pub(in crate::kube) fn resumed_with(self, made: Vec<u8>) -> Listing {
        Listing { ahead: made, ..self }
    }

    /// Appends about `budget` bytes.
    pub(in crate::kube) fn poll(&mut self, cluster: &Cluster, out: &mut Vec<u8>, budget: usize) -> Progress {
        let start = out.len();
        out.append(&mut std::mem::take(&mut self.ahead));
        if !self.is_begun {
            self.is_begun = true;
            out.extend_from_slice(self.beginning().as_bytes());
        }
        while out.len() - start < budget.max(1) {
            let Some(version) = self.objects.next() else {
                out.extend_from_slice(b"]}\n");
                return Progress::Done;
            };
            if !std::mem::take(&mut self.is_first) {
                out.push(b',');
            }
            self.object(cluster, &version, out);
        }
        Progress::More
    }

    /// Everything up to the first object.
    fn beginning(&self) -> String {
        let metadata = &self.metadata;
        match (self.asked.form, &self.columns) {
            (Form::Table(version), Some(columns)) => format!(
                "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/{version}\",\"metadata\":{metadata},\"columnDefinitions\":{},\"rows\":[",
                columns.definitions()
            ),
            (Form::Metadata(version), _) => format!(
                "{{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/{version}\",\"metadata\":{metadata},\"items\":["
            ),
            _ => {
                let (kind, version) = (json!(self.served.list_kind), json!(self.served.api_version()));
                format!("{{\"kind\":{kind},\"apiVersion\":{version},\"metadata\":{metadata},\"items\":[")
            }
        }
    }

    fn object(&self, cluster: &Cluster, version: &Version, out: &mut Vec<u8>) {
        let value = || cluster.value(&self.served, version);
        match (self.asked.form, &self.columns) {
            (Form::Table(wanted), Some(columns)) => {
                let row = columns.row(&value(), wanted, self.asked.include, self.asked.now);
                out.extend_from_slice(row.to_string().as_bytes());
            }
            (Form::Metadata(wanted), _) => {
                out.extend_from_slice(table::partial_metadata(&value(), wanted).to_string().as_bytes());
            }
            _ if self.served.custom || self.served.conversion().is_some() => cluster.render(&self.served, version, out),
            // The list tells the kind of its objects; only custom ones repeat it.
            _ => {
                let at = out.len();
                cluster.store.body(version).write(&cluster.store.stamp(version), cluster.store.particulars(), out);
                // A body begins with the comma after the kind.
                out[at] = b'{';
            }
        }
    }
}
