//! The package sources of a root: which hosts its package managers fetch from, and through which proxies. Read from the
//! root's own files, which are somebody else's: a line that names no host is passed over with a word, and never a failure.
//!
//! Not here: who may reach these hosts, and how.

mod apk;
mod apt;
mod dnf;
mod proxies;
pub mod resolver;

use std::collections::BTreeSet;
use std::path::Path;

use crate::model::host::Host;
use crate::model::path::RootedPath;
use crate::sys::tree::Root;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The hosts, each once.
    pub hosts: BTreeSet<Host>,
    /// What was passed over, with the file that it is in, in words.
    pub passed_over: Vec<String>,
}

/// The parser of one kind of file.
type Parser = fn(&str, &mut Found);

/// The files, each with what reads it.
const FILES: [(&str, Parser); 8] = [
    ("etc/apt/sources.list", apt::list),
    ("etc/apt/apt.conf", apt::configuration),
    ("etc/dnf/dnf.conf", dnf::ini),
    ("etc/yum.conf", dnf::ini),
    ("etc/zypp/zypp.conf", dnf::ini),
    ("etc/sysconfig/proxy", proxies::variables),
    ("etc/apk/repositories", apk::repositories),
    ("etc/environment", proxies::variables),
];

/// The folders, each with the end of the names that count there.
const FOLDERS: [(&str, &str, Parser); 7] = [
    ("etc/apt/sources.list.d", ".list", apt::list),
    ("etc/apt/sources.list.d", ".sources", apt::deb822),
    // A name with another end than this is none of apt's; one without an end is.
    ("etc/apt/apt.conf.d", "", apt::configuration),
    ("etc/yum.repos.d", ".repo", dnf::ini),
    ("etc/dnf/repos.d", ".repo", dnf::ini),
    ("etc/zypp/repos.d", ".repo", dnf::ini),
    ("etc/zypp/services.d", ".service", dnf::ini),
];

/// What the files of a root name.
pub fn of_root(root: &Root) -> Sources {
    let mut sources = Sources::default();
    for (path, parser) in FILES {
        sources.read(root, Path::new(path), parser);
    }
    for (folder, end, parser) in FOLDERS {
        for name in names(root, folder) {
            let counts = if end.is_empty() { counts_for_apt(&name) } else { name.ends_with(end) };
            if counts {
                sources.read(root, &Path::new(folder).join(name), parser);
            }
        }
    }
    sources
}

/// The names in a folder; none where it cannot be listed, or is none.
fn names(root: &Root, folder: &str) -> Vec<String> {
    let Ok(Some(path)) = root.leads_to(Path::new(folder)) else { return Vec::new() };
    let names = root.directory(&path).and_then(|folder| folder.names()).unwrap_or_default();
    names.into_iter().filter_map(|name| name.into_string().ok()).collect()
}

/// Whether apt reads a file of that name in apt.conf.d.
fn counts_for_apt(name: &str) -> bool {
    name.split_once('.').is_none_or(|(_, end)| end == "conf")
}

impl Sources {
    fn read(&mut self, root: &Root, path: &Path, parser: Parser) {
        let shown = |path: &Path| Path::new("/").join(path).display().to_string();
        let text = match root.text_behind(path) {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(error) => return self.passed_over.push(format!("{}: {error}", shown(path))),
        };
        let mut found = Found::default();
        parser(&text, &mut found);
        self.hosts.extend(found.hosts);
        self.passed_over.extend(found.odd.iter().map(|odd| format!("{}: {odd}", shown(path))));
        for list in found.lists {
            // Below the root like everything else; a list names hosts alone, so that this ends.
            let Ok(list) = RootedPath::new(&list) else { continue };
            if path != list.relative() {
                self.read(root, list.relative(), apt::mirrors);
            }
        }
    }
}

/// What a parser has found in a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    hosts: Vec<Host>,
    /// Lists of mirrors, by their path.
    lists: Vec<String>,
    odd: Vec<String>,
}

impl Found {
    /// Takes the host of an address such as `http://user@host:8080/path`; that of a file has none, and is passed over
    /// in silence.
    fn uri(&mut self, uri: &str) {
        let Some((scheme, rest)) = uri.split_once(':') else {
            return self.odd.push(format!("{uri:?} is no address"));
        };
        let scheme = scheme.to_ascii_lowercase();
        if let "file" | "copy" | "cdrom" | "dir" | "hd" | "iso" | "media" | "plugin" = scheme.as_str() {
            return;
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        if scheme.ends_with("+file") || scheme.ends_with("+copy") {
            return self.lists.push(rest.to_owned());
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match host.parse::<Host>() {
            Ok(host) => self.hosts.push(host),
            Err(_) => self.odd.push(format!("{uri:?} names no host that is known here")),
        }
    }

    /// Takes the host of a proxy, which may be written without a scheme.
    fn proxy(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty()
            || ["direct", "false", "none", "_none_"].contains(&value.to_ascii_lowercase().as_str())
        {
            return;
        }
        match value.contains("://") {
            true => self.uri(value),
            false => self.uri(&format!("http://{value}")),
        }
    }
}

/// What a parser makes of a text, as one line: hosts, then `@` and lists, then `!` and how many odd ones.
#[cfg(test)]
fn told(parser: Parser, text: &str) -> String {
    let mut found = Found::default();
    parser(text, &mut found);
    let mut words: Vec<String> = found.hosts.iter().map(Host::to_string).collect();
    words.extend(found.lists.iter().map(|list| format!("@{list}")));
    words.extend((!found.odd.is_empty()).then(|| format!("!{}", found.odd.len())));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_counts() {
        for (uri, host) in [
            ("http://deb.example.org/debian", "deb.example.org"),
            ("HTTPS://Deb.Example.org:8443", "deb.example.org:8443"),
            ("http://user:pass@word@h/x", "h"),
            ("http://[2001:db8::1]:80/x", "[2001:db8::1]:80"),
            ("mirror+http://list.example/x", "list.example"),
            ("mirror://list.example/x", "list.example"),
            ("mirror+file:/etc/apt/mirrors/debian.list", "@/etc/apt/mirrors/debian.list"),
            ("mirror+file:///etc/l", "@/etc/l"),
            ("tor+https://h/x?y", "h"),
            ("file:///srv/debian", ""),
            ("cdrom:[Debian]/", ""),
            ("http:///nothing", "!1"),
            ("http://mirror.$releasever.example/x", "!1"),
            ("http://h/$releasever/$basearch", "h"),
            ("deb.example.org", "!1"),
        ] {
            assert_eq!(told(|text, found| found.uri(text), uri), host, "{uri}");
        }
        for (proxy, host) in [
            ("http://cache:3142", "cache:3142"),
            ("cache:3142", "cache:3142"),
            ("socks5h://127.0.0.1:1080", "127.0.0.1:1080"),
            ("DIRECT", ""),
            ("", ""),
            ("_none_", ""),
        ] {
            assert_eq!(told(|text, found| found.proxy(text), proxy), host, "{proxy}");
        }
    }

    #[test]
    fn the_files_of_a_root_are_read_and_links_do_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("etc/apt/sources.list", "deb http://one.example/ x main\nnonsense\n");
        write("etc/apt/sources.list.d/a.list", "deb mirror+file:/etc/mirrors.txt x main\n");
        write(
            "etc/apt/sources.list.d/b.sources",
            "Types: deb\nURIs: http://two.example/ http://one.example/\n",
        );
        write("etc/apt/sources.list.d/c.sources.off", "Types: deb\nURIs: http://off.example/\n");
        write("etc/mirrors.txt", "http://three.example/debian\tpriority:1\n");
        write("etc/apt/apt.conf.d/01proxy", "Acquire::http::Proxy \"http://cache.example:3142\";");
        write("etc/apt/apt.conf.d/01proxy.bak", "Acquire::http::Proxy \"http://old.example:3142\";");
        write("etc/yum.repos.d/x.repo", "[x]\nbaseurl=https://four.example/$releasever/\n");
        write("srv/repositories", "https://five.example/alpine/edge/main\n");
        std::fs::create_dir(dir.path().join("etc/apk")).unwrap();
        std::os::unix::fs::symlink("/srv/repositories", dir.path().join("etc/apk/repositories")).unwrap();
        let sources = of_root(&Root::open(dir.path(), "").unwrap());
        let hosts: Vec<String> = sources.hosts.iter().map(Host::to_string).collect();
        assert_eq!(
            hosts,
            [
                "cache.example:3142",
                "five.example",
                "four.example",
                "one.example",
                "three.example",
                "two.example"
            ]
        );
        assert_eq!(sources.passed_over, ["/etc/apt/sources.list: \"nonsense\" is no source"]);
    }
}
