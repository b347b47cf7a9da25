//! What the files of dnf, yum and zypper name: `baseurl`, `mirrorlist`, `metalink` and `proxy` of dnf.conf(5), `url` of a
//! service of zypper. Pure. The mirrors that a list on the network names are not known here.

use super::Found;

/// The form of all of them: sections of `name=value`, with further lines that begin with a space.
pub(super) fn ini(text: &str, found: &mut Found) {
    let mut section: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain(["[end]"]) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = section.last_mut() {
                *value = format!("{value} {trimmed}");
            }
        } else if trimmed.starts_with('[') {
            of_section(&std::mem::take(&mut section), found);
        } else {
            match trimmed.split_once(['=', ':']) {
                Some((name, value)) => {
                    section.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
                }
                None => found.odd.push(format!("{trimmed:?} is no setting")),
            }
        }
    }
}

fn of_section(section: &[(String, String)], found: &mut Found) {
    let no = ["0", "no", "false", "off"];
    if section
        .iter()
        .any(|(name, value)| name == "enabled" && no.contains(&value.to_ascii_lowercase().as_str()))
    {
        return;
    }
    for (name, value) in section {
        match name.as_str() {
            "baseurl" | "mirrorlist" | "metalink" | "url" => {
                let uris = value.split([' ', '\t', ',']).filter(|uri| !uri.is_empty());
                uris.for_each(|uri| found.uri(uri));
            }
            "proxy" => found.proxy(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::told;

    #[test]
    fn repositories_and_proxies() {
        for (text, hosts) in [
            ("[base]\nname=x\nbaseurl=http://a.example/$releasever/$basearch/\n", "a.example"),
            ("[b]\nmetalink = https://m.example/metalink?repo=f-$releasever&arch=$basearch\n", "m.example"),
            ("[b]\nmirrorlist=http://l.example/?release=$releasever\n", "l.example"),
            ("[b]\nbaseurl=http://a/x\n        https://b/y, http://c/z\nenabled=1\n", "a b c"),
            ("[b]\nbaseurl=http://a/\nenabled=0\n[c]\nbaseurl=http://c/\n", "c"),
            ("[b]\nbaseurl=http://mirror.$releasever.example/\n", "!1"),
            ("[b]\nbaseurl=file:///mnt\n; http://x\n#baseurl=http://y\nnonsense\n", "!1"),
            ("[main]\ngpgcheck=1\nproxy=http://p.example:8080\nproxy_username=u\n", "p.example:8080"),
            ("[main]\nproxy=_none_\n", ""),
            ("[repo]\nbaseurl=dir:///x\n[s]\nurl=https://scc.example/?cookies=0\n", "scc.example"),
        ] {
            assert_eq!(told(ini, text), hosts, "{text}");
        }
    }
}
