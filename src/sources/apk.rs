//! What apk-repositories(5) names: an address or a path a line, with a tag before it at times. Pure.

use super::Found;

/// `/etc/apk/repositories`.
pub(super) fn repositories(text: &str, found: &mut Found) {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let repository = if first.starts_with('@') { words.next() } else { Some(first) };
        match repository {
            Some(path) if path.starts_with('/') => {}
            Some(uri) => found.uri(uri),
            None => found.odd.push(format!("{line:?} is no repository")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::told;

    #[test]
    fn repositories_of_apk() {
        let text = "#http://x\nhttps://dl.example/alpine/v3.20/main\n@edge http://e.example/x\n/media/cdrom/apks\n@lost\n";
        assert_eq!(told(repositories, text), "dl.example e.example !1");
    }
}
