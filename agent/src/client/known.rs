//! The features that a Foreman knows as it comes, and how a name is matched with them. Pure.

use crate::client::reply::{RUNNING, Reply};

/// Foreman's names.
pub const FOREMAN: [&str; 13] = [
    "Templates",
    "TFTP",
    "DNS",
    "DHCP",
    "Puppet",
    "Puppet CA",
    "BMC",
    "Realm",
    "Facts",
    "Logs",
    "HTTPBoot",
    "External IPAM",
    "Registration",
];

/// A name as it is compared: in lower case, without blanks.
pub fn folded(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Foreman's name of a feature; `None` where it knows none such as it comes.
pub fn foreman_name(feature: &str) -> Option<&'static str> {
    let wanted = folded(feature);
    FOREMAN.into_iter().find(|name| folded(name) == wanted)
}

/// Why a Foreman as it comes would not take a proxy that says this, in its words; `None` where it would.
pub fn refusal(reply: &Reply) -> Option<String> {
    let running: Vec<&str> = reply
        .features
        .iter()
        .filter(|(_, said)| said.state == RUNNING)
        .map(|(name, _)| name.as_str())
        .collect();
    if running.is_empty() {
        let text = "No features found on this proxy, please make sure you enable at least one feature";
        return Some(text.to_owned());
    }
    if running.iter().any(|name| foreman_name(name).is_some()) {
        return None;
    }
    Some(format!(
        "Features \"{}\" in this proxy are not recognized by Foreman. If these features come from a Smart Proxy plugin, \
         make sure Foreman has the plugin installed too.",
        sentence(&running)
    ))
}

/// Names as Foreman's framework puts them into a sentence: `a`, `a and b`, `a, b, and c`.
fn sentence(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [all @ .., last] => format!("{}, and {last}", all.join(", ")),
    }
}
