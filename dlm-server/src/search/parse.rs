//! Text into a [`Filter`], by the grammar of Foreman's scoped_search, which is not that of SQL: `and` and `or` bind alike, and to
//! the right (`a and b or c` is `a and (b or c)`); beside each other they are `and`; `not` binds the next term alone. What cannot
//! be understood is an error, never "all". Length, terms and depth are bounded, so that no text takes long.

use std::fmt;

use thiserror::Error;

use super::token::{Token, TokenError, tokens};
use super::{Comparison, Field, Filter, Order, OrderField};

/// The longest search, in bytes.
pub const LONGEST: usize = 4096;
/// The most terms in one.
pub const MOST_TERMS: usize = 200;
/// The deepest parentheses.
pub const DEEPEST: usize = 30;

/// A search or an order that cannot be understood. The texts are Foreman's, as far as it has them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// A field that there is not.
    #[error("Field '{0}' not recognized for searching!")]
    Field(String),
    /// The same, in an order.
    #[error("the field '{0}' in the order statement is not valid field for search")]
    OrderField(String),
    /// An operator where a field has none such.
    #[error("Operator '{operator}' not supported for '{field}'")]
    Operator {
        /// The operator.
        operator: String,
        /// The field.
        field: &'static str,
    },
    /// A value that a field cannot have.
    #[error("'enabled' should be one of 'true, false', but the query was '{0}'")]
    Enabled(String),
    /// Something is missing.
    #[error("Value expected but found {0}")]
    NoValue(String),
    /// Parentheses that do not fit.
    #[error("'{0}' without its other half")]
    Half(&'static str),
    /// Parentheses with nothing in them, or `not` of nothing.
    #[error("No operands found")]
    Nothing,
    /// More than is looked at.
    #[error(
        "the search is too long: use {LONGEST} bytes, {MOST_TERMS} terms and {DEEPEST} nested parentheses at most"
    )]
    TooMuch,
    /// A list where none can be searched.
    #[error("Search is not supported for {0}")]
    NoSearch(&'static str),
}

impl From<TokenError> for ParseError {
    fn from(error: TokenError) -> ParseError {
        match error {
            TokenError::OpenQuote => ParseError::Half("\""),
        }
    }
}

/// The filter that a text means; nothing but blanks is [`Filter::All`].
pub fn filter(text: &str) -> Result<Filter, ParseError> {
    if text.len() > LONGEST {
        return Err(ParseError::TooMuch);
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, terms: 0, depth: 0 };
    if parser.tokens.is_empty() {
        return Ok(Filter::All);
    }
    let filter = parser.sequence()?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(ParseError::Half(")")),
    }
}

/// The order that a text means: a field, and `desc` anywhere behind it.
pub fn order(text: &str) -> Result<Order, ParseError> {
    let Some(field) = text.split_whitespace().next() else { return Ok(Order::default()) };
    let by = match field {
        "name" => OrderField::Name,
        "host" => OrderField::Host,
        "type" => OrderField::Type,
        "enabled" => OrderField::Enabled,
        // Foreman has these for other lists.
        "id" => OrderField::Id,
        "created_at" => OrderField::Created,
        "updated_at" => OrderField::Updated,
        other => return Err(ParseError::OrderField(other.to_owned())),
    };
    let behind = text.trim_start().get(field.len()..).unwrap_or_default();
    Ok(Order { by, descending: behind.to_lowercase().contains("desc") })
}

impl Field {
    /// Its name in a search.
    pub fn word(self) -> &'static str {
        match self {
            Field::Name => "name",
            Field::Host => "host",
            Field::Type => "type",
            Field::Enabled => "enabled",
        }
    }

    fn named(word: &str) -> Result<Field, ParseError> {
        let all = [Field::Name, Field::Host, Field::Type, Field::Enabled];
        all.into_iter().find(|field| field.word() == word).ok_or_else(|| ParseError::Field(word.to_owned()))
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    terms: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let same = self.peek() == Some(token);
        self.at += usize::from(same);
        same
    }

    /// Expressions beside each other, up to the end or a parenthesis.
    fn sequence(&mut self) -> Result<Filter, ParseError> {
        let mut all = vec![];
        while self.peek().is_some_and(|token| *token != Token::Close) {
            all.push(self.expression()?);
            while self.takes(&Token::Comma) {}
        }
        let last = all.pop().ok_or(ParseError::Nothing)?;
        Ok(all.into_iter().rfold(last, |rest, first| Filter::And(Box::new(first), Box::new(rest))))
    }

    fn expression(&mut self) -> Result<Filter, ParseError> {
        let left = Box::new(self.term()?);
        if self.takes(&Token::And) {
            Ok(Filter::And(left, Box::new(self.expression()?)))
        } else if self.takes(&Token::Or) {
            Ok(Filter::Or(left, Box::new(self.expression()?)))
        } else {
            Ok(*left)
        }
    }

    fn term(&mut self) -> Result<Filter, ParseError> {
        self.terms += 1;
        self.depth += 1;
        if self.terms > MOST_TERMS || self.depth > DEEPEST {
            return Err(ParseError::TooMuch);
        }
        let term = match self.next() {
            Some(Token::Open) => {
                let inside = self.sequence()?;
                if !self.takes(&Token::Close) {
                    return Err(ParseError::Half("("));
                }
                inside
            }
            Some(Token::Not) if self.peek().is_none() => return Err(ParseError::Nothing),
            Some(Token::Not) => Filter::Not(Box::new(self.term()?)),
            Some(Token::Has) => Filter::Has(self.field()?),
            Some(Token::Null) => Filter::Not(Box::new(Filter::Has(self.field()?))),
            Some(Token::Word(word) | Token::Quoted(word)) => self.comparison(word)?,
            other => return Err(missing(other)),
        };
        self.depth -= 1;
        Ok(term)
    }

    fn field(&mut self) -> Result<Field, ParseError> {
        match self.next() {
            Some(Token::Word(word) | Token::Quoted(word)) => Field::named(&word),
            other => Err(missing(other)),
        }
    }

    /// A word, and what it is compared with if an operator follows.
    fn comparison(&mut self, word: String) -> Result<Filter, ParseError> {
        let Some((comparison, operator, length)) = self.operator() else { return Ok(anywhere(&word)) };
        self.at += length;
        let field = Field::named(&word)?;
        let unsupported = || ParseError::Operator { operator: operator.clone(), field: field.word() };
        let comparison = comparison.ok_or_else(unsupported)?;
        let value = match comparison {
            Comparison::In | Comparison::NotIn => self.list()?,
            _ => self.value()?,
        };
        if field == Field::Enabled {
            if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
                return Err(unsupported());
            }
            if value != "true" && value != "false" {
                return Err(ParseError::Enabled(value));
            }
        }
        Ok(Filter::Compare(field, comparison, value))
    }

    /// The operator that follows, as it was written, and of how many tokens it is; `None` in place of the comparison where
    /// there is no such one here.
    fn operator(&self) -> Option<(Option<Comparison>, String, usize)> {
        let written = match self.peek()? {
            Token::Operator(written) => (*written).to_owned(),
            Token::Word(word) => word.to_lowercase(),
            Token::Not => match self.tokens.get(self.at + 1) {
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => {
                    return Some((Some(Comparison::NotIn), String::from("not in"), 2));
                }
                _ => return None,
            },
            _ => return None,
        };
        let comparison = match written.as_str() {
            "=" | "==" | "at" => Some(Comparison::Equal),
            "!=" | "<>" => Some(Comparison::NotEqual),
            "~" | "like" => Some(Comparison::Like),
            "!~" | "unlike" => Some(Comparison::Unlike),
            "^" | "in" => Some(Comparison::In),
            "!^" => Some(Comparison::NotIn),
            ">" | "<" | ">=" | "<=" | "before" | "after" => None,
            _ => return None,
        };
        Some((comparison, written, 1))
    }

    fn value(&mut self) -> Result<String, ParseError> {
        match self.next() {
            Some(Token::Word(word) | Token::Quoted(word)) => Ok(word),
            other => Err(missing(other)),
        }
    }

    /// Values with commas, in parentheses or not.
    fn list(&mut self) -> Result<String, ParseError> {
        let open = self.takes(&Token::Open);
        let mut values = self.value()?;
        while self.takes(&Token::Comma) {
            values = values + "," + &self.value()?;
        }
        if open && !self.takes(&Token::Close) {
            return Err(ParseError::Half("("));
        }
        Ok(values)
    }
}

fn missing(found: Option<Token>) -> ParseError {
    ParseError::NoValue(found.map_or_else(|| String::from("the end"), |token| format!("'{token}'")))
}

/// A word alone: in any field but those that are only searched by name.
fn anywhere(word: &str) -> Filter {
    let like = |field| Filter::Compare(field, Comparison::Like, word.to_owned());
    let or = |a, b| Filter::Or(Box::new(a), Box::new(b));
    or(like(Field::Name), or(like(Field::Host), like(Field::Type)))
}

/// As a search that means the same.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::All => Ok(()),
            Filter::And(a, b) => write!(f, "({a}) and ({b})"),
            Filter::Or(a, b) => write!(f, "({a}) or ({b})"),
            Filter::Not(inner) => write!(f, "not ({inner})"),
            Filter::Has(field) => write!(f, "has {}", field.word()),
            Filter::Compare(field, comparison, value) => {
                let operator = match comparison {
                    Comparison::Equal => "=",
                    Comparison::NotEqual => "!=",
                    Comparison::Like => "~",
                    Comparison::Unlike => "!~",
                    Comparison::In => "^",
                    Comparison::NotIn => "!^",
                };
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "{} {operator} \"{value}\"", field.word())
            }
        }
    }
}
