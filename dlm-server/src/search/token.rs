//! The words of a search, by scoped_search's rules: what begins with an operator's character is one, and a word goes on to the next blank,
//! parenthesis, comma, `&`, `|` or comparison; so `web-1` is one word, and `-web` is `not web`.

use std::fmt;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `and`, `&`, `&&`
    And,
    /// `or`, `|`, `||`
    Or,
    /// `not`, `!`, `-`
    Not,
    /// `has`, `has?`, `set?`
    Has,
    /// `null?`
    Null,
    /// An operator that compares, as it was written.
    Operator(&'static str),
    /// A word.
    Word(String),
    /// A word in quotes, which is nothing else.
    Quoted(String),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Token::Open => "(",
            Token::Close => ")",
            Token::Comma => ",",
            Token::And => "and",
            Token::Or => "or",
            Token::Not => "not",
            Token::Has => "has",
            Token::Null => "null?",
            Token::Operator(operator) => operator,
            Token::Word(word) | Token::Quoted(word) => word,
        })
    }
}

/// A text without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// A quote that is not closed.
    OpenQuote,
}

/// Operators, the longer ones first.
const OPERATORS: [&str; 18] =
    ["&&", "||", "==", "!=", "<>", ">=", "<=", "!~", "!^", "&", "|", "-", "!", "~", "=", "<", ">", "^"];

/// The words of a text.
pub fn tokens(text: &str) -> Result<Vec<Token>, TokenError> {
    let (mut tokens, mut rest) = (vec![], text.trim_start());
    while let Some(first) = rest.chars().next() {
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)).unwrap_or_default();
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '"' => quoted(rest)?,
            _ if !operator.is_empty() => (of_operator(operator), operator.len()),
            _ => word(rest),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn of_operator(operator: &'static str) -> Token {
    match operator {
        "&" | "&&" => Token::And,
        "|" | "||" => Token::Or,
        "!" | "-" => Token::Not,
        comparison => Token::Operator(comparison),
    }
}

/// What is in quotes at the start of a text, and its length with them. A backslash takes the next character as it is.
fn quoted(text: &str) -> Result<(Token, usize), TokenError> {
    let (mut inside, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                inside.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Ok((Token::Quoted(inside), at + 1)),
            _ => inside.push(c),
        }
    }
    Err(TokenError::OpenQuote)
}

/// The word at the start of a text, and its length.
fn word(text: &str) -> (Token, usize) {
    let ends = |(at, c): &(usize, char)| {
        let ended = c.is_whitespace() || matches!(c, '=' | '~' | '<' | '>' | '&' | '|' | ')' | '(' | ',');
        // `name!=x`: the word ends before its operator.
        ended || text[*at..].starts_with("!=") || text[*at..].starts_with("!~")
    };
    let length = text.char_indices().find(ends).map_or(text.len(), |(at, _)| at);
    let token = match text[..length].to_lowercase().as_str() {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        "has" | "has?" | "set?" => Token::Has,
        "null?" => Token::Null,
        _ => Token::Word(text[..length].to_owned()),
    };
    (token, length)
}
