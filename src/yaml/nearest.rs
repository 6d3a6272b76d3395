//! Did you mean …?

/// The candidate that `word` was most likely meant to be, or none if nothing is close.
///
/// Case and the separators `_`, `-` and `.` do not count as differences: `listen_port` is `ListenPort`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = fold(word);
    let limit = (word.chars().count() / WORD_LENGTH_PER_TYPO).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | '.')).flat_map(char::to_lowercase).collect()
}

/// One typo is forgiven for every so many characters: more would suggest unrelated words.
const WORD_LENGTH_PER_TYPO: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["ListenPort", "ListenAddress", "LogLevel", "CAFile"];

    #[test]
    fn typos_find_their_word() {
        for (word, meant) in
            [("ListenPrt", "ListenPort"), ("Loglevel", "LogLevel"), ("listen_port", "ListenPort"), ("CaFiel", "CAFile")]
        {
            assert_eq!(nearest(word, KEYS), Some(meant), "{word}");
        }
    }

    #[test]
    fn strangers_find_nothing() {
        assert_eq!(nearest("ProxyBasePort", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
    }
}
