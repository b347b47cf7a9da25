//! Names that come from outside, each a type of its own, checked where they enter (also by serde).

use disco_dlm::checked_name;

pub use disco_dlm::model::NameError;

checked_name!(
    /// The name of a node: its host name, and its folder below `parameters/`.
    NodeName,
    "node name",
    "use letters, digits, '.', '_' and '-', at most 253, not starting with '.' or '-'",
    |name| is_plain(name, "._-", 253)
);
checked_name!(
    /// The name of a module: its folder below `modules/`, and its rsync module on the master.
    ModuleName,
    "module name",
    "use letters, digits, '.', '_', '+' and '-', at most 128, not starting with '.' or '-'",
    |name| is_plain(name, "._+-", 128)
);
checked_name!(
    /// The name of a run: its folder below `runs/`. Sorts by the time of its start.
    RunId,
    "run id",
    "use letters, digits and '-', at most 64, as `disco runs` lists them",
    |name| is_plain(name, "-", 64)
);
checked_name!(
    /// The name of a parameter: a relative path below `parameters/`.
    ParameterName,
    "parameter name",
    "use letters, digits, '_', '.', '-' and '/', not starting with '/', without empty, '.' or '..' parts",
    |name| {
        name.len() <= 4096
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c))
            && name.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= 255)
    }
);

fn is_plain(name: &str, extra: &str, longest: usize) -> bool {
    !name.is_empty()
        && name.len() <= longest
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_on_the_way_in() {
        for (good, bad) in [("web-1.example.com", "../etc"), ("localhost", "-rf"), ("a", ""), ("x_y", "a/b")]
        {
            assert!(NodeName::new(good).is_ok(), "{good}");
            assert!(NodeName::new(bad).is_err(), "{bad}");
        }
        for bad in ["/etc", "a//b", "a/../b", "a/", "a b", "", "ä"] {
            assert!(ParameterName::new(bad).is_err(), "{bad}");
        }
        for good in ["disco/server/uri", "users/present/joe", "a.b-c_d", ".hidden"] {
            assert!(ParameterName::new(good).is_ok(), "{good}");
        }
        assert!(serde_json::from_str::<ModuleName>("\"../x\"").is_err());
        assert_eq!(
            ModuleName::new("a/b").unwrap_err().to_string(),
            "module name \"a/b\": use letters, digits, '.', '_', '+' and '-', at most 128, not starting with '.' or '-'"
        );
    }
}
