//! The values that files of /proc/sys and /sys were set to, and do not have. Pure.

use std::collections::BTreeMap;

/// What was set, by path.
#[derive(Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Remembers what a file holds from now on, without the newline at its end.
    pub fn set(&mut self, path: &str, value: &str) {
        self.values.insert(path.to_owned(), value.trim_end_matches('\n').to_owned());
    }

    /// What was written to a file, without a newline at its end.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.values.get(path).map(String::as_str)
    }

    /// Everything that was set, by path.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(path, value)| (path.as_str(), value.as_str()))
    }
}

/// The file of a key of sysctl(8): the first separator says which of `.` and `/` separates; the other is part of a name.
pub fn path_of_sysctl(key: &str) -> String {
    let dots = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'.');
    let swap = |sign| match sign {
        '.' if dots => '/',
        '/' if dots => '.',
        sign => sign,
    };
    format!("/proc/sys/{}", key.chars().map(swap).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_to_its_file() {
        for (key, path) in [
            ("vm.swappiness", "/proc/sys/vm/swappiness"),
            ("net/ipv4/conf/eth0.1/forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
            ("net.ipv4.conf.eth0/1.forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
            ("x", "/proc/sys/x"),
        ] {
            assert_eq!(path_of_sysctl(key), path, "{key}");
        }
    }

    #[test]
    fn the_last_value_counts() {
        let mut settings = Settings::default();
        settings.set("/sys/a", "1\n");
        settings.set("/sys/a", "2");
        assert_eq!((settings.get("/sys/a"), settings.get("/sys/b")), (Some("2"), None));
        assert_eq!(settings.all().collect::<Vec<_>>(), [("/sys/a", "2")]);
    }
}
