//! Lines `NAME=VALUE`, as `set -` reads them, and their effect on a tree in memory.

use crate::model::names::ParameterName;
use crate::model::params::{Param, Params};
use crate::params::{LineError, ParamsError};

/// A parameter to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its name.
    pub name: ParameterName,
    /// Its value, or an empty folder.
    pub param: Param,
}

impl Assignment {
    /// That parameter with this value; `{}` means a folder.
    pub fn new(name: ParameterName, value: &str) -> Assignment {
        let param = match value {
            "{}" => Param::Folder(Params::default()),
            value => Param::Value(value.to_owned()),
        };
        Assignment { name, param }
    }
}

/// The assignments of a text, one a line; blank lines count for nothing. Lines as [`crate::params::dump`] writes them
/// (`NAME = VALUE`) are understood too. The first bad line is the error.
///
/// `tree` is what they will be set in: a line that does not fit it, or the lines before it, is bad too.
pub fn parse_assignments(text: &str, tree: &Params) -> Result<Vec<Assignment>, ParamsError> {
    let mut tree = tree.clone();
    let mut assignments = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let checked = parse_line(line).and_then(|assignment| {
            set(&mut tree, &assignment)?;
            Ok(assignment)
        });
        match checked {
            Ok(assignment) => assignments.push(assignment),
            Err(error) => return Err(ParamsError::Line { line: index + 1, source: Box::new(error) }),
        }
    }
    Ok(assignments)
}

fn parse_line(line: &str) -> Result<Assignment, LineError> {
    let (name, value) = line.split_once('=').ok_or_else(|| LineError::NoAssignment(line.to_owned()))?;
    let (name, value) = match name.strip_suffix(' ') {
        // No name ends in a space: this is a line of a dump.
        Some(name) => (name, value.strip_prefix(' ').unwrap_or(value)),
        None => (name, value),
    };
    Ok(Assignment::new(ParameterName::new(name)?, value))
}

/// Sets a parameter in a tree in memory, with the folders above it. A folder stays as it is when it is made again.
pub fn set(tree: &mut Params, assignment: &Assignment) -> Result<(), ParamsError> {
    let name = &assignment.name;
    let (folders, last) = name.as_str().rsplit_once('/').map_or((None, name.as_str()), |(f, l)| (Some(f), l));
    let mut here = tree;
    for (depth, part) in folders.into_iter().flat_map(|folders| folders.split('/')).enumerate() {
        match here.0.entry(part.to_owned()).or_insert_with(|| Param::Folder(Params::default())) {
            Param::Folder(folder) => here = folder,
            Param::Value(_) => return Err(ParamsError::IsValue(first_parts(name, depth + 1))),
        }
    }
    match (here.0.get(last), &assignment.param) {
        (Some(Param::Folder(_)), Param::Folder(_)) => return Ok(()),
        (Some(Param::Folder(_)), Param::Value(_)) => return Err(ParamsError::IsFolder(name.clone())),
        (Some(Param::Value(_)), Param::Folder(_)) => return Err(ParamsError::IsValue(name.clone())),
        (Some(Param::Value(_)), Param::Value(_)) | (None, _) => {}
    }
    here.0.insert(last.to_owned(), assignment.param.clone());
    Ok(())
}

fn first_parts(name: &ParameterName, count: usize) -> ParameterName {
    let parts: Vec<&str> = name.as_str().split('/').take(count).collect();
    // The first parts of a good name are one, so the whole name is never what is shown.
    ParameterName::new(parts.join("/")).unwrap_or_else(|_| name.clone())
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn lines_are_read_and_a_dump_comes_back() {
        let text = "a/b=1\n\nc = x = y\na/f={}\nd=\ne= two\n";
        let read = parse_assignments(text, &Params::default()).unwrap();
        let mut tree = Params::default();
        read.iter().for_each(|assignment| set(&mut tree, assignment).unwrap());
        let dump = crate::params::dump(&tree);
        assert_eq!(dump, "a = {}\na/b = 1\na/f = {}\nc = x = y\nd = \ne =  two\n");
        let mut again = Params::default();
        parse_assignments(&dump, &again)
            .unwrap()
            .iter()
            .for_each(|assignment| set(&mut again, assignment).unwrap());
        assert_eq!(again, tree);
    }

    #[test]
    fn the_first_bad_line_is_named() {
        let tree: Params = serde_json::from_str(r#"{"f": {"x": "1"}, "v": "2"}"#).unwrap();
        for (text, line, reason) in [
            ("a=1\nnothing", 2, "\"nothing\" is not NAME=VALUE"),
            ("/etc/passwd=x", 1, "parameter name \"/etc/passwd\""),
            ("a=1\n\nb/../c=1", 3, "parameter name \"b/../c\""),
            ("f=1", 1, "parameter f is a folder"),
            ("v/w/x=1", 1, "parameter v is a value"),
            ("v={}", 1, "parameter v is a value"),
            ("n=1\nn/m=2", 2, "parameter n is a value"),
        ] {
            let error = parse_assignments(text, &tree).unwrap_err();
            assert_eq!(error.to_string(), format!("line {line} of the parameters to set"), "{text}");
            let source = error.source().unwrap().to_string();
            assert!(source.starts_with(reason), "{text}: {source}");
        }
    }
}
