//! The tokens of a label selector.

/// One token with the text it was read from, which errors quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub kind: TokenKind,
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Identifier,
    In,
    NotIn,
    Equals,
    DoubleEquals,
    NotEquals,
    GreaterThan,
    LessThan,
    Not,
    Open,
    Close,
    Comma,
    End,
}

/// The tokens of `selector`, ending with [`TokenKind::End`].
pub(super) fn tokens(selector: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = selector.trim_start_matches(is_space);
    while let Some(c) = rest.chars().next() {
        let (kind, length) = if is_special(c) { operator(rest) } else { word(rest) };
        tokens.push(Token { kind, text: &rest[..length] });
        rest = rest[length..].trim_start_matches(is_space);
    }
    tokens.push(Token { kind: TokenKind::End, text: "" });
    tokens
}

fn operator(rest: &str) -> (TokenKind, usize) {
    const OPERATORS: [(&str, TokenKind); 9] = [
        ("==", TokenKind::DoubleEquals),
        ("!=", TokenKind::NotEquals),
        ("=", TokenKind::Equals),
        ("!", TokenKind::Not),
        (">", TokenKind::GreaterThan),
        ("<", TokenKind::LessThan),
        ("(", TokenKind::Open),
        (")", TokenKind::Close),
        (",", TokenKind::Comma),
    ];
    let found = OPERATORS.iter().find(|(text, _)| rest.starts_with(text));
    // Every special character is an operator by itself, so one is always found.
    found.map_or((TokenKind::Comma, 1), |(text, kind)| (*kind, text.len()))
}

fn word(rest: &str) -> (TokenKind, usize) {
    let length = rest.find(|c| is_special(c) || is_space(c)).unwrap_or(rest.len());
    let kind = match &rest[..length] {
        "in" => TokenKind::In,
        "notin" => TokenKind::NotIn,
        _ => TokenKind::Identifier,
    };
    (kind, length)
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_as_long_as_can_be() {
        // Cases of apimachinery's labels/selector_test.go, TestLexerSequence.
        use TokenKind::*;
        let kinds = |selector| tokens(selector).iter().map(|token| token.kind).collect::<Vec<_>>();
        assert_eq!(kinds("key in ( value )"), [Identifier, In, Open, Identifier, Close, End]);
        assert_eq!(kinds("key notin ( value )"), [Identifier, NotIn, Open, Identifier, Close, End]);
        assert_eq!(
            kinds("key in ( value1, value2 )"),
            [Identifier, In, Open, Identifier, Comma, Identifier, Close, End]
        );
        assert_eq!(kinds("!key"), [Not, Identifier, End]);
        assert_eq!(kinds("()"), [Open, Close, End]);
        assert_eq!(kinds("x in (),y"), [Identifier, In, Open, Close, Comma, Identifier, End]);
        assert_eq!(kinds("== != (), = notin"), [DoubleEquals, NotEquals, Open, Close, Comma, Equals, NotIn, End]);
        assert_eq!(kinds("key>1"), [Identifier, GreaterThan, Identifier, End]);
        assert_eq!(kinds(" \t"), [End]);
    }
}
