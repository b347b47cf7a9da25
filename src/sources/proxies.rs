//! The proxies that everything on a node is told of: variables such as `http_proxy`. Pure.

use super::Found;

/// The variables that name a proxy.
const NAMES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"];

/// Assignments of a shell: `/etc/environment`, and `/etc/sysconfig/proxy`, where all may be switched off.
pub(super) fn variables(text: &str, found: &mut Found) {
    let assignments = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches(['"', '\''])))
    });
    let assignments: Vec<_> = assignments.collect();
    if assignments.iter().any(|(name, value)| name == "proxy_enabled" && *value == "no") {
        return;
    }
    for (_, value) in assignments.iter().filter(|(name, _)| NAMES.contains(&name.as_str())) {
        found.proxy(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::told;

    #[test]
    fn proxies_of_variables() {
        for (text, hosts) in [
            (
                "http_proxy=http://p:3128/\nHTTPS_PROXY=\"http://q:3128\"\nno_proxy=localhost\n",
                "p:3128 q:3128",
            ),
            ("export all_proxy='socks5://s:1080'\n#http_proxy=http://x:1\nPATH=/bin", "s:1080"),
            ("PROXY_ENABLED=\"no\"\nHTTP_PROXY=\"http://p:1\"\n", ""),
            ("PROXY_ENABLED=\"yes\"\nHTTP_PROXY=\"http://p:1\"\nFTP_PROXY=\"\"\n", "p:1"),
        ] {
            assert_eq!(told(variables, text), hosts, "{text}");
        }
    }
}
