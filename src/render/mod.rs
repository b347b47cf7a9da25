//! Turns a tera template into text, from parameters and facts. Pure: no files, no clock, no environment; and therefore in a
//! process of its own ([`worker`]), which can be ended.
//!
//! Folders are gone through in the order of their names, so that the same input gives the same text (tera's feature
//! `preserve_order`). A template stands alone: `include` and `extends` find nothing. Nothing is escaped, and an undefined name is an error.
//! Templates in bash are not made here: they are run like any step.

use std::io::{self, Write};

use serde::Serialize;
use thiserror::Error;

use crate::model::facts::Facts;
use crate::model::names::ModuleName;
use crate::model::params::Params;

/// What a template can speak of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Context {
    /// `params`: the merged parameters, folders as maps.
    pub params: Params,
    /// `hostname`: the node's name.
    pub hostname: String,
    /// `facts`: what the node knows of itself.
    pub facts: Facts,
}

/// A template that gives no text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("module {module}: template {template}{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct RenderError {
    /// The module.
    pub module: ModuleName,
    /// The template below `templates/`.
    pub template: String,
    /// Which line, from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong there; the undefined name, where that is it.
    pub message: String,
}

/// Renders templates, all with the same values.
#[derive(Debug)]
pub struct Renderer {
    values: tera::Context,
}

impl Renderer {
    /// For the values of a [`Context`] as JSON.
    pub fn from_json(json: &[u8]) -> Result<Renderer, serde_json::Error> {
        let values: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(json)?;
        let mut context = tera::Context::new();
        for (name, value) in &values {
            context.insert(name.clone(), value);
        }
        Ok(Renderer { values: context })
    }

    /// The text of that template of that module.
    pub fn render(&self, module: &ModuleName, template: &str, text: &str) -> Result<String, RenderError> {
        let mut made = Made::default();
        let rendered =
            parse(template, text).and_then(|tera| tera.render_to(template, &self.values, &mut made));
        match rendered {
            // tera writes whole characters.
            Ok(()) => Ok(String::from_utf8(made.bytes).unwrap_or_else(|lossy| lossy.to_string())),
            Err(_) if made.full => Err(RenderError {
                module: module.clone(),
                template: template.to_owned(),
                line: None,
                message: format!("it makes more than {} MiB of text", MOST_TEXT >> 20),
            }),
            Err(error) => Err(explain(module, template, text, &error)),
        }
    }
}

/// The most text that a template may make, in bytes.
pub const MOST_TEXT: usize = 64 << 20;

/// What a template has made so far.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MOST_TEXT {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What can be said of that template before there are any values: whether it is one.
pub fn check(module: &ModuleName, template: &str, text: &str) -> Result<(), RenderError> {
    parse(template, text).map(|_| ()).map_err(|error| explain(module, template, text, &error))
}

fn parse(template: &str, text: &str) -> tera::TeraResult<tera::Tera> {
    let mut tera = tera::Tera::default();
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_template(template, text)?;
    Ok(tera)
}

fn explain(module: &ModuleName, template: &str, text: &str, error: &tera::Error) -> RenderError {
    let (line, message) = match error.kind() {
        tera::ErrorKind::SyntaxError(report) | tera::ErrorKind::RenderingError(report) => {
            let line = report.span().start_line;
            let source = spanned(text, report.span());
            let message = report.message().trim_end_matches('.');
            // tera names only the last part of `params.users.joe`, or none.
            let quoted = source.filter(|source| !message.contains(&format!("`{source}`")));
            (Some(line), quoted.map_or(message.to_owned(), |source| format!("{message}: `{source}`")))
        }
        // Unknown filters and the like come as a drawing of the place, for a terminal.
        other => from_drawing(template, &other.to_string()),
    };
    RenderError { module: module.clone(), template: template.to_owned(), line, message }
}

/// The line and the message of an error that tera has already drawn: `error: MESSAGE`, then ` --> TEMPLATE:LINE:COLUMN`.
fn from_drawing(template: &str, drawing: &str) -> (Option<usize>, String) {
    let place = |line: &str| {
        line.trim().strip_prefix("--> ")?.strip_prefix(template)?.split(':').nth(1)?.parse().ok()
    };
    let first = drawing.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    let message = first.strip_prefix("error: ").unwrap_or(first);
    (drawing.lines().find_map(place), message.to_owned())
}

/// The piece of the template that a span covers, where it is within one line.
fn spanned<'a>(text: &'a str, span: &tera::Span) -> Option<&'a str> {
    if span.start_line != span.end_line {
        return None;
    }
    let line = text.lines().nth(span.start_line.checked_sub(1)?)?;
    let piece = line.get(span.start_col..span.end_col)?.trim();
    (!piece.is_empty()).then_some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let params = serde_json::from_str(
            r#"{"motd": "<Welcome> & \"hello\"", "users": {"present": {"joe": "-u 1000", "a-b.c": "x"}}}"#,
        )
        .unwrap();
        let facts = Facts {
            os_release: [("pretty_name".to_owned(), "Debian GNU/Linux 13".to_owned())].into(),
            cpus: 2,
            addresses: vec!["192.0.2.7".to_owned(), "2001:db8::1".to_owned()],
            ..Facts::default()
        };
        Context { params, hostname: "web-1".to_owned(), facts }
    }

    fn rendered(text: &str) -> Result<String, String> {
        let module = ModuleName::new("motd-1.0").unwrap();
        let renderer = Renderer::from_json(&serde_json::to_vec(&context()).unwrap()).unwrap();
        renderer.render(&module, "etc/motd.html.tera", text).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_and_facts_become_text() {
        for (text, expected) in [
            ("{{ hostname }}: {{ params.motd }}\n", "web-1: <Welcome> & \"hello\"\n"),
            ("{{ params.users.present[\"a-b.c\"] }}", "x"),
            (
                "{% for name, flags in params.users.present %}{{ name }} {{ flags }};{% endfor %}",
                "a-b.c x;joe -u 1000;",
            ),
            ("{{ facts.os_release.pretty_name }} {{ facts.cpus + 1 }}", "Debian GNU/Linux 13 3"),
            ("{{ facts.addresses | join(sep=\", \") }}", "192.0.2.7, 2001:db8::1"),
            (
                "{{ params.none | default(value=\"d\") }}{% if params.none is defined %}y{% else %}n{% endif %}",
                "dn",
            ),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_template_that_makes_too_much_is_stopped() {
        let error = rendered(
            "{% for i in range(end=1000) %}{% for j in range(end=1000) %}{% for k in range(end=1000) %}xxxxxxxxxx{% endfor %}{% endfor %}{% endfor %}",
        );
        let message = "module motd-1.0: template etc/motd.html.tera: it makes more than 64 MiB of text";
        assert_eq!(error.unwrap_err(), message);
    }

    #[test]
    fn an_error_names_module_file_line_and_name() {
        for (text, line, names) in [
            ("a\nb {{ params.users.absent }}\n", 2, "absent"),
            ("{{ nothing }}", 1, "nothing"),
            ("\n\n{{ params.gone.deeper }}", 3, "gone"),
            ("x\n{% if %}", 2, ""),
            ("x\n{{ hostname | nofilter }}", 2, "nofilter"),
        ] {
            let error = rendered(text).unwrap_err();
            let start = format!("module motd-1.0: template etc/motd.html.tera, line {line}: ");
            assert!(error.starts_with(&start) && error.contains(names) && !error.contains('\n'), "{error}");
        }
        let module = ModuleName::new("motd-1.0").unwrap();
        let checked = |text: &str| check(&module, "x", text).map_err(|error| error.line);
        assert_eq!(checked("{{ params.users.absent }}"), Ok(()), "no values are needed");
        assert_eq!(checked("a\nb\n{% if x %}\n{% endfor %}"), Err(Some(4)));
        assert_eq!(checked("\n{{ hostname | nofilter }}"), Err(Some(2)));
        for text in
            ["{% include \"/etc/passwd\" %}", "{% extends \"other\" %}", "{{ get_env(name=\"HOME\") }}"]
        {
            let error = rendered(text).unwrap_err();
            assert!(error.starts_with("module motd-1.0: template etc/motd.html.tera"), "{error}");
        }
    }
}
