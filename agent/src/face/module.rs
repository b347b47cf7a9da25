//! A feature with its settings and its state: what has been read, and what its subsystem says. Pure.

use std::error::Error;

use crate::face::entry::{Entry, Ordered};
use crate::face::feature::{Known, Provider, Spec, Standing};
use crate::settings::{Enabled, Settings, SettingsError, Value};

/// The state of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing has been read yet.
    Uninitialized,
    /// It is off.
    Disabled,
    /// Its settings are good; its subsystem has not been asked yet.
    Loaded,
    /// Its subsystem is about to work.
    Starting,
    /// It works.
    Running,
    /// Its settings are no good, and why: until they are read again.
    Unusable(String),
    /// Its subsystem does not work, and why: until it does.
    Failed(String),
}

impl State {
    /// Its word on the wire.
    pub fn word(&self) -> &'static str {
        match self {
            State::Uninitialized => "uninitialized",
            State::Disabled => "disabled",
            State::Loaded => "loaded",
            State::Starting => "starting",
            State::Running => "running",
            State::Unusable(_) | State::Failed(_) => "failed",
        }
    }

    /// Why it has failed, if it has.
    pub fn why(&self) -> Option<&str> {
        match self {
            State::Unusable(why) | State::Failed(why) => Some(why),
            State::Uninitialized | State::Disabled | State::Loaded | State::Starting | State::Running => None,
        }
    }
}

/// Settings as they were read: `None` where there is no file.
pub type Read = Result<Option<Settings>, SettingsError>;

/// A provider that is in use, with what its file sets.
type Chosen = (Provider, Settings);

/// A feature as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// What it is.
    pub spec: Spec,
    /// Its state.
    pub state: State,
    enabled: Enabled,
    /// What its file sets; `None` where that was not looked at, so that no setting has a value.
    settings: Option<Settings>,
    providers: Vec<Chosen>,
}

impl Module {
    /// A feature of which nothing has been read.
    pub fn new(spec: Spec) -> Module {
        let enabled = Enabled::Off;
        Module { spec, state: State::Uninitialized, enabled, settings: None, providers: vec![] }
    }

    /// The same with its settings; `of_provider` reads those of a provider. What its subsystem has said of itself stays true: a feature
    /// that runs does not stop because a file was read.
    #[must_use]
    pub fn load(&self, read: Read, of_provider: impl Fn(&Provider) -> Read) -> Module {
        let mut module = Module::new(self.spec.clone());
        module.state = match module.take(read, of_provider) {
            Ok(State::Loaded) => match &self.state {
                State::Running => State::Running,
                State::Failed(why) => State::Failed(why.clone()),
                State::Starting => State::Starting,
                State::Uninitialized | State::Disabled | State::Loaded | State::Unusable(_) => State::Loaded,
            },
            Ok(state) => state,
            Err(why) => State::Unusable(why),
        };
        module
    }

    fn take(&mut self, read: Read, of_provider: impl Fn(&Provider) -> Read) -> Result<State, String> {
        let file = read.map_err(|error| self.due_to(&in_full(&error)))?;
        let file = file.unwrap_or_else(|| Settings::none(format!("{}.yml", self.spec.name)));
        self.enabled = Enabled::of(file.get("enabled").map_or(&self.spec.enabled, |setting| &setting.value));
        if self.enabled == Enabled::Off {
            return Ok(State::Disabled);
        }
        self.settings = Some(file.clone());
        complete(&self.spec.settings, &file).map_err(|why| self.due_to(&why))?;
        if !self.enabled.anywhere() {
            return Ok(State::Disabled);
        }
        if let Some(known) = self.spec.providers.clone() {
            for provider in self.choice(&known, &file)? {
                self.providers.push((provider.clone(), Settings::none(provider.name.as_str())));
            }
            for at in 0..self.providers.len() {
                let provider = self.providers[at].0.clone();
                self.providers[at].1 =
                    self.of_provider(&provider, of_provider(&provider)).map_err(|why| self.due_to(&why))?;
            }
        }
        Ok(State::Loaded)
    }

    /// What is worth a warning: a value of `:enabled:` that means nothing, so that the feature is off.
    pub fn doubt(&self) -> Option<String> {
        let file = self.settings.as_ref().filter(|_| self.enabled == Enabled::Unclear)?;
        let setting = file.get("enabled")?;
        let why = format!(
            "must be true, false, http or https, and is {}: '{}' is off",
            shown(&setting.value),
            self.spec.name
        );
        Some(file.wrong(setting, why).to_string())
    }

    /// The providers that `:use_provider:` names, in the order in which they are known.
    fn choice<'a>(&self, known: &'a [Provider], file: &Settings) -> Result<Vec<&'a Provider>, String> {
        let wanted =
            file.value("use_provider").texts().filter(|wanted| !wanted.is_empty()).ok_or_else(|| {
                // Where it is not there at all, it is what enables the feature that asks for it.
                let line = file.get("use_provider").or_else(|| file.get("enabled"));
                let line = line.map_or_else(String::new, |setting| format!(":{}", setting.line));
                let all = known.iter().map(|provider| provider.name.as_str()).collect::<Vec<_>>().join(", ");
                let why = "`:use_provider:` must name a provider, or a list of them";
                self.due_to(&format!("{}{line}: {why}, of {all}", file.file))
            })?;
        let missing: Vec<&str> = wanted
            .iter()
            .filter(|name| !known.iter().any(|provider| provider.name.as_str() == **name))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(known
                .iter()
                .filter(|one| wanted.iter().any(|name| name == one.name.as_str()))
                .collect());
        }
        let missing = names(missing.into_iter());
        Err(format!(
            "Disabling all modules in the group {}: following providers are not available {missing}",
            self.group()
        ))
    }

    fn of_provider(&self, provider: &Provider, read: Read) -> Result<Settings, String> {
        let file = read.map_err(|error| in_full(&error))?;
        let file = file.unwrap_or_else(|| Settings::none(format!("{}.yml", provider.name)));
        let own = self.settings.iter().flat_map(|settings| &settings.all);
        let mut overlap = own.filter(|setting| setting.key != "enabled" && file.get(&setting.key).is_some());
        if let Some(setting) = overlap.next() {
            let name = &provider.name;
            return Err(format!(
                "Provider '{name}' settings conflict with the main plugin's settings: {}",
                setting.key
            ));
        }
        complete(&provider.settings, &file).map(|()| file)
    }

    /// The feature is about to be asked how it stands.
    pub fn start(&mut self) {
        if self.state == State::Loaded {
            self.state = State::Starting;
        }
    }

    /// Whether its subsystem is asked how it stands.
    pub fn is_asked(&self) -> bool {
        match self.state {
            State::Loaded | State::Starting | State::Running | State::Failed(_) => true,
            State::Uninitialized | State::Disabled | State::Unusable(_) => false,
        }
    }

    /// Takes what its subsystem says of itself; whether that changed anything.
    pub fn stands(&mut self, standing: Standing) -> bool {
        if !self.is_asked() {
            return false;
        }
        let state = match standing {
            Standing::Starting => State::Starting,
            Standing::Running => State::Running,
            Standing::Failed(why) => State::Failed(self.due_to(&why)),
        };
        let changed = self.state != state;
        self.state = state;
        changed
    }

    /// Whether it is offered over plain HTTP, and whether over HTTPS. What has failed is not.
    pub fn offered(&self) -> (bool, bool) {
        match self.state.why() {
            Some(_) => (false, false),
            None => (self.enabled.http(), self.enabled.https()),
        }
    }

    /// All names that fail with it: those of its providers, and its own.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        let providers = self.providers.iter().map(|(provider, _)| provider.name.as_str());
        providers.chain([self.spec.name.as_str()])
    }

    /// As it goes out, with what its back ends have said.
    pub fn entry<'a>(&self, asked: impl Iterator<Item = &'a String>) -> Entry {
        let (http_enabled, https_enabled) = self.offered();
        let settings = Ordered(self.exposed());
        Entry {
            http_enabled,
            https_enabled,
            settings,
            state: self.state.word(),
            capabilities: self.capabilities(asked),
        }
    }

    fn exposed(&self) -> Vec<(String, Value)> {
        let nothing = Settings::none("");
        let own = (self.spec.settings.as_slice(), self.settings.as_ref());
        let of_providers = self.providers.iter().map(|(provider, file)| (&provider.settings[..], Some(file)));
        let mut shown: Vec<(String, Value)> = vec![];
        let mut show = |key: &str, value: Value| match shown.iter_mut().find(|(old, _)| old == key) {
            Some((_, old)) => *old = value,
            None => shown.push((key.to_owned(), value)),
        };
        for (known, file) in of_providers.chain([own]) {
            for one in known.iter().filter(|one| one.exposed) {
                let value = file.map_or(Value::Null, |file| value(one, file));
                show(&one.key, value);
            }
        }
        if self.spec.providers.is_some() {
            let value = self.settings.as_ref().unwrap_or(&nothing).value("use_provider");
            show("use_provider", value.clone());
        }
        shown
    }

    /// Static ones in every state but the first, the others while it is running; each once, sorted.
    fn capabilities<'a>(&self, asked: impl Iterator<Item = &'a String>) -> Vec<String> {
        if self.state == State::Uninitialized {
            return vec![];
        }
        let of_providers = self.providers.iter().flat_map(|(provider, _)| &provider.capabilities);
        let mut all: Vec<String> = of_providers.chain(&self.spec.capabilities).cloned().collect();
        if self.state == State::Running {
            all.extend(asked.cloned());
        }
        all.sort();
        all.dedup();
        all
    }

    fn group(&self) -> String {
        names(self.members())
    }

    fn due_to(&self, why: &str) -> String {
        let group = self.group();
        format!("Disabling all modules in the group {group} due to a failure in one of them: {why}")
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", "))
}

fn value(known: &Known, file: &Settings) -> Value {
    file.get(&known.key).map_or_else(|| known.default.clone(), |setting| setting.value.clone())
}

/// A value as it is typed, where it is a text, or else its kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        other => other.kind().to_owned(),
    }
}

/// Whether all that must have a value has one.
fn complete(known: &[Known], file: &Settings) -> Result<(), String> {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => false,
    };
    match known.iter().find(|one| one.required && empty(&value(one, file))) {
        Some(one) => {
            let line = file.get(&one.key).map_or_else(String::new, |setting| format!(":{}", setting.line));
            Err(format!("{}{line}: Parameter '{}' is expected to have a non-empty value", file.file, one.key))
        }
        None => Ok(()),
    }
}

fn in_full(error: &SettingsError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
