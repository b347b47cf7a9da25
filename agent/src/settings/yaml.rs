//! A settings file's text into its entries. What a settings file never has (several documents, anchors, tags, a key twice) is an
//! error here, because a reader who takes no notice of it takes something else for granted than the one who wrote it.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::settings::error::SettingsError;
use crate::settings::scalar;
use crate::settings::value::Value;

/// How deep lists and maps may be within each other.
const DEEPEST: usize = 32;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name, without colons.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// The line of its key, from 1.
    pub line: usize,
}

/// All that a file sets, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the file is called in messages.
    pub file: String,
    /// What it sets; no key is there twice.
    pub all: Vec<Setting>,
}

impl Settings {
    /// A file that sets nothing, or is not there.
    pub fn none(file: impl Into<String>) -> Settings {
        Settings { file: file.into(), all: vec![] }
    }

    /// The setting of that name.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.all.iter().find(|setting| setting.key == key)
    }

    /// The value of that name; `Null` where there is none.
    pub fn value(&self, key: &str) -> &Value {
        self.get(key).map_or(&Value::Null, |setting| &setting.value)
    }

    /// An error about that key.
    pub fn wrong(&self, setting: &Setting, why: impl Into<String>) -> SettingsError {
        SettingsError::Key {
            file: self.file.clone(),
            line: setting.line,
            key: setting.key.clone(),
            why: why.into(),
        }
    }
}

/// Reads the text of a settings file. Keys are symbols (`:enabled:`); a key that is none would not be seen by a smart proxy.
pub fn parse(file: &str, text: &str) -> Result<Settings, SettingsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { file, events: Parser::new_from_str(text), depth: 0 };
    let all = reader.document()?;
    Ok(Settings { file: file.to_owned(), all })
}

/// A mapping may have keys without a colon only below the top.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    Symbols,
    Any,
}

struct Reader<'a> {
    file: &'a str,
    events: Parser<'a, StrInput<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SettingsError> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(source)) => Err(self.broken(source)),
            None => Err(self.form(0, "it ends too early")),
        }
    }

    fn broken(&self, source: ScanError) -> SettingsError {
        SettingsError::Yaml { file: self.file.to_owned(), line: source.marker().line(), source }
    }

    fn form(&self, line: usize, why: &str) -> SettingsError {
        SettingsError::Form { file: self.file.to_owned(), line, why: why.to_owned() }
    }

    fn document(&mut self) -> Result<Vec<Setting>, SettingsError> {
        let mut all = vec![];
        let mut seen = false;
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            match event {
                Event::StreamEnd => return Ok(all),
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(_) if seen => return Err(self.form(line, "there is a second document")),
                Event::DocumentStart(_) => seen = true,
                Event::MappingStart(anchor, tag) => {
                    self.no_extras(anchor, tag.is_some(), line)?;
                    all = self.mapping(Keys::Symbols)?;
                }
                Event::Scalar(text, ScalarStyle::Plain, anchor, tag) if text.is_empty() => {
                    self.no_extras(anchor, tag.is_some(), line)?;
                }
                Event::Scalar(..) | Event::SequenceStart(..) | Event::Alias(_) => {
                    return Err(self.form(line, "it is no map of settings such as `:enabled: true`"));
                }
                Event::SequenceEnd | Event::MappingEnd => return Err(self.form(line, "it ends twice")),
            }
        }
    }

    fn mapping(&mut self, keys: Keys) -> Result<Vec<Setting>, SettingsError> {
        let mut all: Vec<Setting> = vec![];
        self.deeper()?;
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, anchor, tag) => {
                    self.no_extras(anchor, tag.is_some(), line)?;
                    self.key(&text, style, keys, line)?
                }
                _ => return Err(self.form(line, "a key must be a word")),
            };
            let value = self.value()?;
            let setting = Setting { key, value, line };
            if let Some(first) = all.iter().find(|other| other.key == setting.key) {
                return Err(SettingsError::Key {
                    file: self.file.to_owned(),
                    line,
                    key: setting.key,
                    why: format!("is set in line {} already", first.line),
                });
            }
            all.push(setting);
        }
        self.depth -= 1;
        Ok(all)
    }

    fn key(&self, text: &str, style: ScalarStyle, keys: Keys, line: usize) -> Result<String, SettingsError> {
        let symbol = scalar::symbol(text).filter(|_| style == ScalarStyle::Plain);
        match (symbol, keys) {
            (Some(name), _) => Ok(name.to_owned()),
            (None, Keys::Any) => Ok(text.to_owned()),
            (None, Keys::Symbols) => {
                let why =
                    format!("a smart proxy does not see the key `{text}`: write it as a symbol, `:{text}:`");
                Err(self.form(line, &why))
            }
        }
    }

    fn value(&mut self) -> Result<Value, SettingsError> {
        let (event, span) = self.next()?;
        self.value_of(event, span.start.line())
    }

    fn value_of(&mut self, event: Event<'a>, line: usize) -> Result<Value, SettingsError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.no_extras(anchor, tag.is_some(), line)?;
                Ok(match style {
                    ScalarStyle::Plain => scalar::plain(&text),
                    _ => Value::Text(text.into_owned()),
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.no_extras(anchor, tag.is_some(), line)?;
                self.deeper()?;
                let mut list = vec![];
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    list.push(self.value_of(event, span.start.line())?);
                }
                self.depth -= 1;
                Ok(Value::List(list))
            }
            Event::MappingStart(anchor, tag) => {
                self.no_extras(anchor, tag.is_some(), line)?;
                let map = self.mapping(Keys::Any)?;
                Ok(Value::Map(map.into_iter().map(|setting| (setting.key, setting.value)).collect()))
            }
            Event::Alias(_) => Err(self.form(line, "aliases are not read")),
            _ => Err(self.form(line, "a value is missing")),
        }
    }

    /// Bounds the depth: whatever goes down comes up in `mapping` and `value_of`.
    fn deeper(&mut self) -> Result<(), SettingsError> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.form(0, "it is nested too deep")) } else { Ok(()) }
    }

    fn no_extras(&self, anchor: usize, tagged: bool, line: usize) -> Result<(), SettingsError> {
        match (anchor, tagged) {
            (0, false) => Ok(()),
            (_, true) => Err(self.form(line, "tags are not read")),
            (_, false) => Err(self.form(line, "anchors are not read")),
        }
    }
}
