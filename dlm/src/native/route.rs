//! The paths of disco's own wire.

/// What all of them begin with.
pub const BASE: &str = "/disco/v1";

/// The path of a lock, or below it: `lock("a/b", "/acquire")` is `/disco/v1/locks/a%2Fb/acquire`.
pub fn lock(name: &str, below: &str) -> String {
    format!("{BASE}/locks/{}{below}", encoded(name))
}

/// A name as one segment of a path: every byte but letters, digits, `-`, `.`, `_` and `~` as `%XX` (RFC 3986, 2.3). A name that is
/// nothing but dots is wholly encoded, for clients and proxies take such a segment away.
pub fn encoded(name: &str) -> String {
    let dots = name.bytes().all(|byte| byte == b'.');
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || (matches!(byte, b'-' | b'.' | b'_' | b'~') && !dots);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_is_in_it() {
        assert_eq!(lock("a/b", "/acquire"), "/disco/v1/locks/a%2Fb/acquire");
        assert_eq!(lock("web-1.x_y~z", ""), "/disco/v1/locks/web-1.x_y~z");
        assert_eq!(encoded("ä %?#"), "%C3%A4%20%25%3F%23");
        assert_eq!(encoded(".."), "%2E%2E");
    }
}
