//! Settings that nobody knows: most are misspelt, and would otherwise be passed over in silence.

use std::collections::BTreeMap;

use crate::model::params::{Param, Params};
use crate::settings::Origin;
use crate::settings::table::{Setting, TABLE};

/// What steps find in their environment, and may find disco with.
const OF_STEPS: [&str; 3] = ["DISCO_NODE", "DISCO_MODULE", "DISCO_MODULE_DIR"];
/// The password for the lock server, which is in no setting, and what `disco lock run` tells its command.
const OF_LOCKS: [&str; 4] = ["DISCO_DLM_PASSWORD", "DISCO_LOCK_NAME", "DISCO_LOCK_TOKEN", "DISCO_LOCK_URL"];

/// The parameters below `disco/client`, `disco/server`, `disco/dlm`, `disco/upload` and `disco/schedule`, and the variables `DISCO_…`, that set nothing.
pub fn unknown(environment: &BTreeMap<String, String>, parameters: &Params) -> Vec<Origin> {
    let variables: Vec<String> = TABLE.iter().filter_map(Setting::environment).collect();
    let mut unknown: Vec<Origin> = environment
        .keys()
        .filter(|name| name.starts_with("DISCO_") && !variables.contains(name))
        .filter(|name| !OF_STEPS.contains(&name.as_str()) && !OF_LOCKS.contains(&name.as_str()))
        .map(|name| Origin::Environment(name.clone()))
        .collect();
    for area in ["client", "server", "dlm", "upload", "schedule"] {
        if let Some(entry) = parameters.0.get(area) {
            below(entry, area.to_owned(), &mut unknown);
        }
    }
    unknown
}

fn below(entry: &Param, path: String, unknown: &mut Vec<Origin>) {
    match entry {
        Param::Value(_) if TABLE.iter().any(|setting| setting.parameter == Some(&path)) => {}
        Param::Value(_) => unknown.push(Origin::Parameter(format!("disco/{path}"))),
        Param::Folder(folder) => {
            folder.0.iter().for_each(|(name, entry)| below(entry, format!("{path}/{name}"), unknown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_nothing_is_named() {
        let environment = [("DISCO_CLIENT_NETWROK", ""), ("DISCO_HOME", "/x"), ("HOME", "/root")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let params: Params = serde_json::from_str(
            r#"{"client": {"netwrok": "host", "network": "host", "cmds": {"rsync": "rsync"}}, "mine": {"x": "1"}}"#,
        )
        .unwrap();
        let unknown: Vec<_> = unknown(&environment.into(), &params).iter().map(Origin::to_string).collect();
        assert_eq!(unknown, ["env DISCO_CLIENT_NETWROK", "parameter disco/client/netwrok"]);
    }
}
