//! Rules for names, labels and annotations, in the words of apimachinery's `util/validation`.

use super::Resource;

/// Why `name` cannot name an object of `resource`: one message a broken rule, none when it is fine.
pub fn check_name(_resource: &Resource, _name: &str) -> Vec<String> {
    todo!()
}

/// Why `key` is no label or annotation key.
pub fn check_qualified_name(_key: &str) -> Vec<String> {
    todo!()
}

/// Why `value` is no label value.
pub fn check_label_value(_value: &str) -> Vec<String> {
    todo!()
}

/// `base` with five random characters of the alphabet that spells no words, cut so that the whole has at most 63.
pub fn generate(_base: &str, _random: &mut fastrand::Rng) -> String {
    todo!()
}
