//! Flags, then environment, then parameters, then defaults: the first that says something is believed. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::conflict::NoOnConflict;
use crate::model::host::{Host, NoHost};
use crate::model::names::{NodeName, ParameterName};
use crate::model::noise::NoNoise;
use crate::model::params::{Param, Params};
use crate::model::run::Mode;
use crate::settings::table::{Name, Setting, TABLE};
use crate::settings::{
    Amount, Dlm, Log, Network, OnActionFailure, Origin, Schedule, Settings, SettingsError, Sourced, Upload,
};

/// The settings that the command line names.
pub type Flags = BTreeMap<Name, String>;

/// The longest time that a setting may state: a year.
const LONGEST: u64 = 366 * 24 * 3600;

/// disco's own folder, which must be known before the parameters can be read. The default is `/var/disco`.
pub fn home(
    flags: &Flags,
    environment: &BTreeMap<String, String>,
) -> Result<Sourced<PathBuf>, SettingsError> {
    Said { flags, environment, parameters: &Params::default() }.parse(Name::Home, folder)
}

/// All settings, from the command line, the environment, the parameters below `disco/`, and the host's name.
pub fn resolve(
    flags: &Flags,
    environment: &BTreeMap<String, String>,
    parameters: &Params,
    host: &str,
) -> Result<Settings, SettingsError> {
    let said = Said { flags, environment, parameters };
    let home = said.parse(Name::Home, folder)?;
    Ok(Settings {
        node: said.parse(Name::Node, |name| {
            NodeName::new(if name.is_empty() { host } else { name }).map_err(|error| error.to_string())
        })?,
        mode: said.parse(Name::Noop, |text| Ok(if truth(text)? { Mode::Noop } else { Mode::Live }))?,
        root: said.parse(Name::Root, |path| Ok(PathBuf::from(path)))?,
        server_uri: said.parse(Name::ServerUri, |uri| Ok((!uri.is_empty()).then(|| uri.to_owned())))?,
        fetch: said.parse(Name::Fetch, truth)?,
        rsync: said.parse(Name::Rsync, command)?,
        network: said.parse(Name::Network, network)?,
        network_hosts: said.parse(Name::NetworkHosts, hosts)?,
        step_timeout: said.parse(Name::StepTimeout, seconds)?,
        step_processes: said.parse(Name::StepProcesses, |text| {
            // The limit that Linux has itself.
            number(text, 4_194_304).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        })?,
        step_memory: said.parse(Name::StepMemory, amount)?,
        step_output: said
            .parse(Name::StepOutput, |text| number(text, MOST_MEBIBYTES).map(|number| number as u64))?,
        step_disk: said.parse(Name::StepDisk, amount)?,
        fetch_jobs: said.parse(Name::FetchJobs, |text| number(text, 64))?,
        fetch_timeout: said.parse(Name::FetchTimeout, seconds)?,
        keep_runs: said.parse(Name::KeepRuns, |text| number(text, 1_000_000))?,
        keep_days: said.parse(Name::KeepDays, days)?,
        keep_size: said.parse(Name::KeepSize, amount)?,
        on_action_failure: said.parse(Name::OnActionFailure, on_action_failure)?,
        allow_reboot: said.parse(Name::AllowReboot, truth)?,
        on_conflict: said
            .parse(Name::OnConflict, |text| text.parse().map_err(|error: NoOnConflict| error.to_string()))?,
        undo_runs: said.parse(Name::UndoRuns, |text| match text {
            "0" => Ok(0),
            text => number(text, 1_000_000),
        })?,
        undo_days: said.parse(Name::UndoDays, days)?,
        undo_size: said.parse(Name::UndoSize, amount)?,
        secrets: said
            .parse(Name::Secrets, |text| crate::model::secret::parse(text).map(|_| text.to_owned()))?,
        storage: said.parse(Name::Storage, |text| {
            if text.is_empty() { Ok(home.value.join("scratch")) } else { folder(text) }
        })?,
        textfile: said.parse(Name::Textfile, |path| Ok((!path.is_empty()).then(|| PathBuf::from(path))))?,
        log: said.parse(Name::Log, log)?,
        noise: said.parse(Name::Noise, |text| text.parse().map_err(|error: NoNoise| error.to_string()))?,
        dlm: Dlm::resolve(&said)?,
        upload: Upload::resolve(&said),
        schedule: Schedule::resolve(&said)?,
        home,
    })
}

/// Whether what is to be set below `disco/` can be read as the setting that it is, and why not. What is no setting is not looked at.
pub fn check(path: &ParameterName, param: &Param) -> Result<(), String> {
    let mut names = path.as_str().rsplit('/');
    let last = names.next().unwrap_or_default();
    let below = Params([(last.to_owned(), param.clone())].into());
    let parameters =
        names.fold(below, |below, name| Params([(name.to_owned(), Param::Folder(below))].into()));
    // Whatever the host is called, it is not what is wrong.
    let settings = resolve(&Flags::new(), &BTreeMap::new(), &parameters, "host");
    let settings = settings.map_err(|error| error.without_value())?;
    settings.upload.wrong.into_iter().next().map_or(Ok(()), Err)
}

/// The most MiB that a setting may state: a PiB.
const MOST_MEBIBYTES: usize = 1 << 30;

/// The voices, the strongest first.
pub(super) struct Said<'a> {
    flags: &'a Flags,
    environment: &'a BTreeMap<String, String>,
    parameters: &'a Params,
}

impl Said<'_> {
    /// What the strongest voice says of a setting, as a value.
    pub(super) fn parse<T>(
        &self,
        name: Name,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Sourced<T>, SettingsError> {
        let setting = setting(name);
        let (text, origin) = self.say(setting)?;
        match parse(&text) {
            Ok(value) => Ok(Sourced { value, origin }),
            Err(allowed) => Err(SettingsError { setting: setting.label, value: text, origin, allowed }),
        }
    }

    /// What the strongest voice says. An empty variable says nothing, as is usual in a shell.
    fn say(&self, setting: &'static Setting) -> Result<(String, Origin), SettingsError> {
        if let Some(value) = self.flags.get(&setting.name) {
            return Ok((value.clone(), Origin::Flag(setting.flag.unwrap_or(setting.label).to_owned())));
        }
        if let Some(variable) = setting.environment()
            && let Some(value) = self.environment.get(&variable)
            && !value.is_empty()
        {
            return Ok((value.clone(), Origin::Environment(variable)));
        }
        let parameter = setting.parameter.and_then(|path| ParameterName::new(path).ok());
        if let Some(path) = parameter
            && let Some(entry) = self.parameters.get(&path)
        {
            let origin = Origin::Parameter(format!("disco/{path}"));
            return match entry {
                Param::Value(value) => Ok((value.trim().to_owned(), origin)),
                Param::Folder(_) => Err(SettingsError {
                    setting: setting.label,
                    value: "{}".to_owned(),
                    origin,
                    allowed: "it is a value, not a folder".to_owned(),
                }),
            };
        }
        Ok((setting.default.to_owned(), Origin::Default))
    }
}

fn setting(name: Name) -> &'static Setting {
    // The table's own test shows that every name has its row; the first stands in for the impossible.
    TABLE.iter().find(|setting| setting.name == name).unwrap_or(&TABLE[0])
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if path.is_absolute() { Ok(path.to_owned()) } else { Err("use a path that starts with '/'".to_owned()) }
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("use true, 1 or yes; or false, 0 or no".to_owned()),
    }
}

fn network(text: &str) -> Result<Network, String> {
    match text {
        "none" => Ok(Network::None),
        "fetch" => Ok(Network::Fetch),
        "host" => Ok(Network::Host),
        _ => Err("use none, fetch or host".to_owned()),
    }
}

fn on_action_failure(text: &str) -> Result<OnActionFailure, String> {
    match text {
        "undo" => Ok(OnActionFailure::Undo),
        "keep" => Ok(OnActionFailure::Keep),
        _ => Err("use undo or keep".to_owned()),
    }
}

fn log(text: &str) -> Result<Log, String> {
    let all = [Log::Auto, Log::Journal, Log::Syslog, Log::None];
    all.into_iter()
        .find(|log| log.word() == text)
        .ok_or_else(|| "use auto, journal, syslog or none".to_owned())
}

fn hosts(text: &str) -> Result<Vec<Host>, String> {
    text.split_whitespace().map(|host| host.parse().map_err(|error: NoHost| error.to_string())).collect()
}

fn command(text: &str) -> Result<Vec<String>, String> {
    match shell_words::split(text) {
        Ok(words) if words.is_empty() => Err("use a command line that starts with a program".to_owned()),
        Ok(words) => Ok(words),
        Err(_) => Err("a quote is not closed".to_owned()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err(format!("use whole seconds, 1 to {LONGEST}")),
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    let allowed = || format!("use MiB, 1 to {MOST_MEBIBYTES}; a part such as 50%; or unlimited");
    match text.strip_suffix('%') {
        Some(percent) => number(percent, 100).map(|percent| Amount::Percent(percent as u64)),
        None if text == "unlimited" => Ok(Amount::Unlimited),
        None => number(text, MOST_MEBIBYTES).map(|number| Amount::Mebibytes(number as u64)),
    }
    .map_err(|_| allowed())
}

fn days(text: &str) -> Result<u32, String> {
    number(text, 36_600).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) fn number(text: &str, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("use a whole number, 1 to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn parameters(json: &str) -> Params {
        serde_json::from_str(json).unwrap()
    }

    fn shown(settings: &Settings, name: &str) -> (String, String) {
        let row = settings.rows().into_iter().find(|row| row.name == name).unwrap();
        (row.value, row.origin)
    }

    #[test]
    fn every_setting_has_one_row() {
        let settings = resolve(&Flags::new(), &environment(&[]), &Params::default(), "host.example").unwrap();
        let rows: Vec<_> = settings.rows().into_iter().map(|row| (row.name, row.value, row.origin)).collect();
        let row = |name, value: &str| (name, value.to_owned(), "default".to_owned());
        assert_eq!(
            rows,
            [
                row("home", "/var/disco"),
                row("noop", "false"),
                row("root", "/"),
                row("client/node", "host.example"),
                row("server/uri", ""),
                row("client/fetch", "true"),
                row("client/cmds/rsync", "rsync"),
                row("client/network", "fetch"),
                row("client/network_hosts", ""),
                row("client/step_timeout", "3600"),
                row("client/step_processes", "4096"),
                row("client/step_memory", "80%"),
                row("client/step_output", "256"),
                row("client/step_disk", "50%"),
                row("client/fetch_jobs", "8"),
                row("client/fetch_timeout", "60"),
                row("client/keep_runs", "100"),
                row("client/keep_days", "3650"),
                row("client/keep_size", "5%"),
                row("client/on_action_failure", "undo"),
                row("client/allow_reboot", "false"),
                row("client/on_conflict", "abort"),
                row("client/undo/runs", "10"),
                row("client/undo/days", "30"),
                row("client/undo/size", "10%"),
                row("client/secrets", ""),
                row("client/storage", "/var/disco/scratch"),
                row("client/textfile", ""),
                row("client/log", "auto"),
                row("client/noise", ""),
                row("dlm/url", ""),
                row("dlm/lock", ""),
                row("dlm/take", "true"),
                row("dlm/wait", "0"),
                row("dlm/on_failure", "keep"),
                row("dlm/required", "true"),
                row("dlm/cert", ""),
                row("dlm/key", ""),
                row("dlm/ca", ""),
                row("dlm/user", ""),
                row("upload/foreman", ""),
                row("upload/facts", "true"),
                row("upload/webhook", ""),
                row("upload/webhook_secret", ""),
                row("upload/user", ""),
                row("upload/password_file", ""),
                row("upload/cert", ""),
                row("upload/key", ""),
                row("upload/ca", ""),
                row("schedule/interval", ""),
                row("schedule/splay", ""),
                row("schedule/blackout", ""),
                row("schedule/time_limit", ""),
            ]
        );
    }

    #[test]
    fn the_strongest_voice_is_believed() {
        let flag = Flags::from([(Name::Network, "host".to_owned())]);
        let variable = environment(&[("DISCO_CLIENT_NETWORK", "none")]);
        let empty = environment(&[("DISCO_CLIENT_NETWORK", "")]);
        let parameter = parameters(r#"{"client": {"network": "host"}}"#);
        for (flags, variables, params, value, origin) in [
            (&flag, &variable, &parameter, "host", "--network"),
            (&Flags::new(), &variable, &parameter, "none", "env DISCO_CLIENT_NETWORK"),
            (&Flags::new(), &empty, &parameter, "host", "parameter disco/client/network"),
            (&Flags::new(), &empty, &Params::default(), "fetch", "default"),
        ] {
            let settings = resolve(flags, variables, params, "h").unwrap();
            assert_eq!(shown(&settings, "client/network"), (value.to_owned(), origin.to_owned()));
        }
    }

    #[test]
    fn the_readmes_settings_work() {
        let params = parameters(
            r#"{"server": {"uri": "disco@aklabs.net"},
                "client": {"cmds": {"rsync": "rsync -qaWHe \"ssh -i /home/disco/.ssh/id_rsa_disco\""}}}"#,
        );
        let settings = resolve(&Flags::new(), &environment(&[("NOOP", "true")]), &params, "h").unwrap();
        assert_eq!(settings.rsync.value, ["rsync", "-qaWHe", "ssh -i /home/disco/.ssh/id_rsa_disco"]);
        assert_eq!(settings.server_uri.value.as_deref(), Some("disco@aklabs.net"));
        assert_eq!(
            (settings.mode.value, settings.mode.origin.to_string().as_str()),
            (Mode::Noop, "env NOOP")
        );
        let moved = Flags::from([(Name::Home, "/srv/d".to_owned())]);
        let settings = resolve(&moved, &environment(&[("NOOP", "no")]), &params, "h").unwrap();
        assert_eq!(
            (settings.mode.value, settings.storage.value.to_str()),
            (Mode::Live, Some("/srv/d/scratch"))
        );
        assert_eq!(home(&moved, &environment(&[])).unwrap(), settings.home);
    }

    #[test]
    fn amounts_are_parts_or_numbers() {
        for (text, amount, of_1000_mib) in [
            ("100", Amount::Mebibytes(100), Some(100 << 20)),
            ("50%", Amount::Percent(50), Some((1000 << 20) / 100 * 50)),
            ("unlimited", Amount::Unlimited, None),
        ] {
            let environment = environment(&[("DISCO_CLIENT_STEP_DISK", text)]);
            let settings = resolve(&Flags::new(), &environment, &Params::default(), "h").unwrap();
            assert_eq!(
                (settings.step_disk.value, settings.step_disk.value.bytes_of(1000 << 20)),
                (amount, of_1000_mib)
            );
            assert_eq!(settings.step_disk.value.to_string(), text);
        }
    }

    #[test]
    fn a_bad_value_names_where_it_came_from_and_what_is_allowed() {
        for (variable, value, message) in [
            ("NOOP", "maybe", "noop is \"maybe\" (env NOOP): use true, 1 or yes; or false, 0 or no"),
            (
                "DISCO_CLIENT_NETWORK",
                "all",
                "client/network is \"all\" (env DISCO_CLIENT_NETWORK): use none, fetch or host",
            ),
            (
                "DISCO_CLIENT_NETWORK_HOSTS",
                "a *.b:443 c/d",
                "client/network_hosts is \"a *.b:443 c/d\" (env DISCO_CLIENT_NETWORK_HOSTS): \"c/d\" is no host: \
                 use NAME, *.NAME or ADDRESS, and :PORT where it is not 80 and 443",
            ),
            (
                "DISCO_CLIENT_FETCH_JOBS",
                "0",
                "client/fetch_jobs is \"0\" (env DISCO_CLIENT_FETCH_JOBS): use a whole number, 1 to 64",
            ),
            (
                "DISCO_CLIENT_CMDS_RSYNC",
                "rsync -e \"ssh",
                "client/cmds/rsync is \"rsync -e \\\"ssh\" (env DISCO_CLIENT_CMDS_RSYNC): a quote is not closed",
            ),
            (
                "DISCO_CLIENT_LOG",
                "mail",
                "client/log is \"mail\" (env DISCO_CLIENT_LOG): use auto, journal, syslog or none",
            ),
            (
                "DISCO_CLIENT_NOISE",
                "-none",
                "client/noise is \"-none\" (env DISCO_CLIENT_NOISE): there is no class \"none\" of noise: backups, \
                 package-manager, caches, times",
            ),
            ("DISCO_HOME", "disco", "home is \"disco\" (env DISCO_HOME): use a path that starts with '/'"),
            (
                "DISCO_CLIENT_STEP_TIMEOUT",
                "1h",
                "client/step_timeout is \"1h\" (env DISCO_CLIENT_STEP_TIMEOUT): use whole seconds, 1 to 31622400",
            ),
            (
                "DISCO_CLIENT_STEP_MEMORY",
                "101%",
                "client/step_memory is \"101%\" (env DISCO_CLIENT_STEP_MEMORY): use MiB, 1 to 1073741824; a part such as 50%; or unlimited",
            ),
            (
                "DISCO_CLIENT_STEP_DISK",
                "1G",
                "client/step_disk is \"1G\" (env DISCO_CLIENT_STEP_DISK): use MiB, 1 to 1073741824; a part such as 50%; or unlimited",
            ),
            (
                "DISCO_CLIENT_STEP_OUTPUT",
                "0",
                "client/step_output is \"0\" (env DISCO_CLIENT_STEP_OUTPUT): use a whole number, 1 to 1073741824",
            ),
        ] {
            let error = resolve(&Flags::new(), &environment(&[(variable, value)]), &Params::default(), "h");
            assert_eq!(error.unwrap_err().to_string(), message);
        }
        let folder = parameters(r#"{"server": {"uri": {}}}"#);
        let error = resolve(&Flags::new(), &environment(&[]), &folder, "h").unwrap_err().to_string();
        assert_eq!(error, "server/uri is \"{}\" (parameter disco/server/uri): it is a value, not a folder");
        let error = resolve(&Flags::new(), &environment(&[]), &Params::default(), "../x").unwrap_err();
        assert!(
            error.to_string().starts_with("client/node is \"\" (default): node name \"../x\""),
            "{error}"
        );
    }
}
