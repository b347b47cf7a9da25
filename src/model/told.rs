//! An error in words.

use std::error::Error;

/// An error and its causes on one line, outermost first: `cannot read "/x": permission denied`.
pub fn in_full(error: &dyn Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        let inner = std::io::Error::other("inner");
        assert_eq!(in_full(&Outer(inner)), "outer: inner");
    }
}
