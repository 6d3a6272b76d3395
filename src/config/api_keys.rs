//! The keys of the REST API: the entries of `APIKeys`.

use super::Role;
use super::error::Misread;
use crate::yaml::nearest;
use serde_yaml::Value;

/// A key that callers of the REST API may show. Only its hash is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What logs and the audit log call whoever shows it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// SHA-256 of the key. A key has 256 random bits, so a slow hash would protect nothing that this does not.
    pub hash: [u8; HASH_BYTES],
}

impl ApiKey {
    /// The entry of the configuration file.
    pub fn to_line(&self) -> String {
        let hex: String = self.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("- {{Name: {}, Role: {}, Hash: \"{HASH_PREFIX}{hex}\"}}", self.name, self.role)
    }

    /// Checks that a name can stand in the configuration file, in logs and in the audit log.
    pub fn check_name(name: &str) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match name {
            "" => Err("the name is empty".into()),
            name if name.len() > MAX_NAME => Err(format!("the name is longer than {MAX_NAME} characters")),
            name if !name.chars().all(fits) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                Err(format!("`{name}` is not a letter followed by letters, digits, '-', '_' and '.'"))
            }
            _ => Ok(()),
        }
    }
}

/// Reads the list of the configuration file. The error says which entry is wrong, and how.
pub(super) fn read_api_keys(value: &Value) -> Result<Vec<ApiKey>, Misread> {
    let Value::Sequence(entries) = value else { return Err("it is not a list".into()) };
    let mut keys: Vec<ApiKey> = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let at = |problem: String| Misread::in_entry(position, problem);
        let key = read_api_key(entry).map_err(at)?;
        if keys.iter().any(|other| other.name == key.name) {
            return Err(at(format!("another one is named {} too", key.name)));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn read_api_key(entry: &Value) -> Result<ApiKey, String> {
    let Value::Mapping(fields) = entry else { return Err("it is no mapping of `Name`, `Role` and `Hash`".into()) };
    let (mut name, mut role, mut hash) = (None, None, None);
    for (key, value) in fields {
        let key = key.as_str().ok_or("a key is no text")?;
        let text = value.as_str().ok_or_else(|| format!("{key} is not text; put it in quotes"));
        match key {
            "Name" => name = Some(text?.to_owned()),
            "Role" => {
                let text = text?;
                let names = Role::ALL.map(Role::as_str).join(", ");
                role = Some(Role::parse(text).ok_or_else(|| format!("Role is `{text}`, not one of {names}"))?);
            }
            "Hash" => hash = Some(parse_hash(text?).ok_or("Hash is not what `api-key create` printed")?),
            _ => {
                let hint = nearest(key, FIELDS).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(format!("unknown key {key}{hint}"));
            }
        }
    }
    let name = name.ok_or("it has no Name")?;
    ApiKey::check_name(&name)?;
    Ok(ApiKey { name, role: role.ok_or("it has no Role")?, hash: hash.ok_or("it has no Hash")? })
}

fn parse_hash(text: &str) -> Option<[u8; HASH_BYTES]> {
    let hex = text.strip_prefix(HASH_PREFIX).filter(|hex| hex.len() == 2 * HASH_BYTES && hex.is_ascii())?;
    let mut hash = [0; HASH_BYTES];
    for (position, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * position..2 * position + 2], 16).ok()?;
    }
    Some(hash)
}

const FIELDS: [&str; 3] = ["Name", "Role", "Hash"];
const HASH_BYTES: usize = 32;
const HASH_PREFIX: &str = "sha256:";
/// As long as anything that is read in a log line should be.
const MAX_NAME: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<ApiKey>, String> {
        read_api_keys(&serde_yaml::from_str(text).unwrap()).map_err(|misread| misread.problem)
    }

    #[test]
    fn what_is_printed_is_read() {
        let keys = vec![
            ApiKey { name: "ci".into(), role: Role::Operator, hash: [0xab; 32] },
            ApiKey { name: "prometheus".into(), role: Role::Viewer, hash: [7; 32] },
        ];
        let lines: Vec<String> = keys.iter().map(ApiKey::to_line).collect();
        assert_eq!(read(&lines.join("\n")), Ok(keys));
    }

    #[test]
    fn each_mistake_is_named_with_its_entry() {
        let hash = format!("sha256:{}", "0".repeat(64));
        for (text, problem) in [
            ("{}".to_owned(), "it is not a list"),
            ("[5]".into(), "entry 1: it is no mapping of `Name`, `Role` and `Hash`"),
            (
                format!("[{{Name: a, Role: god, Hash: '{hash}'}}]"),
                "entry 1: Role is `god`, not one of viewer, operator, admin",
            ),
            (format!("[{{Name: a, Hash: '{hash}'}}]"), "entry 1: it has no Role"),
            ("[{Name: a, Role: admin, Hash: 'hunter2'}]".into(), "entry 1: Hash is not what `api-key create` printed"),
            ("[{Name: a, Role: admin, Key: x}]".into(), "entry 1: unknown key Key"),
            (
                format!("[{{Name: 'a b', Role: admin, Hash: '{hash}'}}]"),
                "entry 1: `a b` is not a letter followed by letters, digits, '-', '_' and '.'",
            ),
            (
                format!("[{{Name: a, Role: admin, Hash: '{hash}'}}, {{Name: a, Role: viewer, Hash: '{hash}'}}]"),
                "entry 2: another one is named a too",
            ),
        ] {
            assert_eq!(read(&text), Err(problem.into()), "{text}");
        }
    }
}
