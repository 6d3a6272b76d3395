//! What is wrong with an expression, and where.

use std::fmt;

/// An expression that cannot be read. `Display` is one line; [`Misread::pointed`] shows the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    text: String,
    /// Where in `text` the problem begins and how long it is, in characters.
    place: (usize, usize),
    problem: String,
}

impl Misread {
    /// `part` is the piece of `text` that is wrong, as a slice of it; an empty one at its end says that something is missing.
    pub(super) fn new(text: &str, part: &str, problem: impl Into<String>) -> Misread {
        let offset = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        // A part of another text would point nowhere: the whole is wrong then.
        let before = text.get(..offset).unwrap_or_default();
        let part = if before.len() == offset { part } else { text };
        Misread {
            text: text.to_owned(),
            place: (before.chars().count(), part.trim_end().chars().count()),
            problem: problem.into(),
        }
    }

    /// The expression with a mark under the place and what is wrong there, for terminals.
    pub fn pointed(&self) -> String {
        let (at, length) = self.place;
        format!("\n  {}\n  {}{} {}", self.text, " ".repeat(at), "^".repeat(length.max(1)), self.problem)
    }

    /// The same within a longer text that this expression is a part of.
    pub(super) fn within(self, whole: &str, part: &str) -> Misread {
        let outer = Misread::new(whole, part, "");
        Misread { place: (outer.place.0 + self.place.0, self.place.1), text: outer.text, problem: self.problem }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, character {}: {}", self.text, self.place.0 + 1, self.problem)
    }
}

impl std::error::Error for Misread {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_counted_in_characters() {
        let text = "ä:b<c";
        let misread = Misread::new(text, &text[3..4], "no b here");
        assert_eq!(misread.to_string(), "\"ä:b<c\", character 3: no b here");
        assert_eq!(misread.pointed(), "\n  ä:b<c\n    ^ no b here");
        assert_eq!(misread.within("x, ä:b<c", &"x, ä:b<c"[3..]).place, (5, 1));
    }

    #[test]
    fn what_is_missing_is_pointed_at_behind_the_end() {
        let text = "2m:";
        assert_eq!(Misread::new(text, &text[3..], "a rate is missing").place, (3, 0));
    }
}
