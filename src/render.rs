//! Templates that tera renders: text and values in, text out. Pure; bash templates are steps of the sandbox instead.

use serde::Serialize;
use tera::{Context, ErrorKind, Tera};
use thiserror::Error;

use crate::model::facts::Facts;
use crate::model::names::{ModuleName, NodeName};
use crate::model::params::Params;

/// What a template can name: `params`, `hostname`, `facts`.
#[derive(Debug, Clone, Serialize)]
pub struct Values {
    /// The node's parameters over the modules' defaults.
    pub params: Params,
    /// The node's name.
    pub hostname: NodeName,
    /// What the node knows of itself.
    pub facts: Facts,
}

/// A template that does not render: which one, where in it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{module}: templates/{template}: {problem}")]
pub struct RenderError {
    module: ModuleName,
    template: String,
    problem: String,
}

/// The text that the template makes of the values. A name that is not there is an error, never an empty text. Nothing is
/// escaped: these are configuration files. A template sees itself and the values, no other file.
pub fn render(module: &ModuleName, template: &str, text: &str, values: &Values) -> Result<String, RenderError> {
    let failed = |error: tera::Error| {
        RenderError { module: module.clone(), template: template.to_owned(), problem: in_words(&error, text) }
    };
    let context = Context::from_serialize(values).map_err(failed)?;
    let mut tera = Tera::new();
    tera.autoescape_on([""; 0]);
    tera.add_raw_template(template, text).map_err(failed)?;
    tera.render(template, &context).map_err(failed)
}

/// The message with line, column and the line itself where tera knows the place.
fn in_words(error: &tera::Error, text: &str) -> String {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            let span = report.span();
            let place = text.lines().nth(span.start_line.saturating_sub(1)).unwrap_or_default().trim_end();
            format!("line {}: {}\n  {place}", span.start_line, report.message())
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::params::Param;

    fn values() -> Values {
        let users = Params([("joe-smith".to_owned(), Param::Value("-u 7".into()))].into());
        let params = Params([
            ("motd".to_owned(), Param::Value("<Hello> & \"welcome\"".into())),
            ("users".to_owned(), Param::Folder(users)),
        ]
        .into());
        let facts = Facts { cpus: 2, addresses: vec!["192.0.2.1".into()], ..Facts::default() };
        Values { params, hostname: NodeName::new("node.example.com").unwrap(), facts }
    }

    fn render(text: &str) -> Result<String, String> {
        let module = ModuleName::new("motd").unwrap();
        super::render(&module, "etc/motd.tera", text, &values()).map_err(|error| error.to_string())
    }

    #[test]
    fn values_arrive_unescaped() {
        for (text, expected) in [
            ("{{ params.motd }}\n", "<Hello> & \"welcome\"\n"),
            ("{{ hostname }} {{ facts.cpus }} {{ facts.addresses[0] }}", "node.example.com 2 192.0.2.1"),
            ("{{ params.users[\"joe-smith\"] }}", "-u 7"),
            ("{% for name, flags in params.users %}{{ name }}={{ flags }};{% endfor %}", "joe-smith=-u 7;"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_error_shows_file_line_and_name() {
        for (text, line, name) in [
            ("a\nb {{ params.missing_name }}\n", "line 2", "missing_name"),
            ("{{ nowhere }}", "line 1", "nowhere"),
            ("x\n\n{% if %}", "line 3", "{% if %}"),
        ] {
            let error = render(text).unwrap_err();
            assert!(error.starts_with("motd: templates/etc/motd.tera: "), "{error}");
            assert!(error.contains(line) && error.contains(name), "{error}");
        }
    }

    #[test]
    fn no_file_can_be_reached() {
        assert!(render("{% include \"/etc/passwd\" %}").is_err());
        assert!(render("{% extends \"../../secret\" %}").is_err());
    }
}
