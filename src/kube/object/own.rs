//! What only one object says, so that the rest of its body can be equal to others'.

use super::body::Hole;
use super::marks::Fill;
use super::stamp::time;
use super::{Particulars, Uid};
use std::fmt;

/// A text that stands in one object's body and hardly in any other's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Own {
    Uid(Uid),
    /// `metav1.Time`, in seconds since 1970.
    Time(i64),
    /// A generated name.
    Name(Box<str>),
}

/// A body's text, its holes and where its labels and its second piece begin, on the way to a body that others can share.
pub(super) struct Flat {
    pub text: Vec<u8>,
    pub holes: Vec<Hole>,
    pub labels: std::ops::Range<u32>,
    pub split: usize,
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Own::Uid(uid) => uid.fmt(f),
            Own::Time(seconds) => f.write_str(&time(*seconds)),
            Own::Name(name) => f.write_str(name),
        }
    }
}

impl Flat {
    /// Makes holes of uids, times, the cluster's name and `names`; what filled them is returned.
    pub(super) fn abstracted(self, particulars: &Particulars, names: &[&str]) -> (Flat, Vec<Own>) {
        let Flat { text, holes, labels, split } = self;
        let mut own: Vec<Own> = Vec::new();
        let generated = generated_name(&text).map(str::to_owned);
        let names: Vec<&str> = names.iter().copied().chain(generated.as_deref()).collect();
        let mut flat = Flat {
            text: Vec::with_capacity(text.len()),
            holes: Vec::with_capacity(holes.len()),
            labels: 0..0,
            split: 0,
        };
        let cluster = Some(&*particulars.json_name).filter(|name| name.len() >= SHORTEST_NAME_BYTES);
        let mut old = holes.into_iter().peekable();
        let mut at = 0;
        while at <= text.len() {
            // Lists and objects begin and end at these, never a text that becomes a hole.
            let here = flat.text.len();
            if at == split {
                flat.split = here;
            }
            if at == labels.start as usize {
                flat.labels.start = here as u32;
            }
            if at == labels.end as usize {
                flat.labels.end = here as u32;
            }
            while let Some(hole) = old.next_if(|hole| hole.at as usize == at) {
                flat.holes.push(Hole { at: here as u32, fill: hole.fill });
            }
            let room = old.peek().map_or(text.len(), |hole| hole.at as usize);
            let found = find(&text[at..room], at > 0 && text[at - 1] == b'"', cluster, &names);
            let Some((found, length)) = found.filter(|_| own.len() < MOST_OWN) else {
                flat.text.extend(text.get(at));
                at += 1;
                continue;
            };
            let fill = match found {
                None => Fill::ClusterName,
                Some(found) => {
                    let place = own.iter().position(|known| *known == found).unwrap_or_else(|| {
                        own.push(found);
                        own.len() - 1
                    });
                    Fill::Own(place as u32)
                }
            };
            flat.holes.push(Hole { at: here as u32, fill });
            at += length;
        }
        (flat, own)
    }
}

/// The object's own name, if a server made it up: it comes first, and the prefix after it.
fn generated_name(text: &[u8]) -> Option<&str> {
    let name = text.strip_prefix(b",\"metadata\":{\"name\":\"")?;
    let end = name.iter().position(|byte| *byte == b'"')?;
    let is_generated = name[end..].starts_with(b"\",\"generateName\":") && end >= SHORTEST_NAME_BYTES;
    std::str::from_utf8(&name[..end]).ok().filter(|_| is_generated)
}

/// What `text` begins with, `None` for the cluster's name, and its length.
fn find(text: &[u8], after_quote: bool, cluster: Option<&str>, names: &[&str]) -> Option<(Option<Own>, usize)> {
    let first = *text.first()?;
    if let Some(name) = names.iter().find(|name| text.starts_with(name.as_bytes())) {
        return Some((Some(Own::Name((*name).into())), name.len()));
    }
    // As a part of a longer word, which somebody may look for, it is not the cluster's name.
    let is_whole = |name: &str| text.get(name.len()).is_none_or(|next| !next.is_ascii_alphanumeric());
    if let Some(name) = cluster.filter(|name| text.starts_with(name.as_bytes()) && is_whole(name)) {
        return Some((None, name.len()));
    }
    if !first.is_ascii_hexdigit() {
        return None;
    }
    if after_quote && first.is_ascii_digit() && text.get(TIME_BYTES) == Some(&b'"') && text[TIME_BYTES - 1] == b'Z' {
        let text = std::str::from_utf8(&text[..TIME_BYTES]).ok()?;
        let seconds = text.parse::<jiff::Timestamp>().ok()?.as_second();
        return (time(seconds) == text).then_some((Some(Own::Time(seconds)), TIME_BYTES));
    }
    if text.get(8) == Some(&b'-') && text.get(13) == Some(&b'-') {
        let uid = Uid::parse(text.get(..UID_BYTES)?)?;
        return Some((Some(Own::Uid(uid)), UID_BYTES));
    }
    None
}

/// `2026-01-01T00:00:00Z`.
const TIME_BYTES: usize = 20;
/// `00000000-0000-4000-8000-000000000000`.
const UID_BYTES: usize = 36;
/// A shorter name stands in too many words.
pub(in crate::kube) const SHORTEST_NAME_BYTES: usize = 6;
/// More are of a list, such as the endpoints of many pods, that is equal to no other anyway.
pub(super) const MOST_OWN: usize = 24;
