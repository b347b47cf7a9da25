//! Makes files from templates of tera, inside: what a template costs, in time and in memory, is its step's, and one that
//! never ends is ended with it.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::Path;

use crate::model::names::ModuleName;
use crate::model::step::Outcome;
use crate::render::Renderer;
use crate::sandbox::inside::init::exited;
use crate::sandbox::inside::payload::told;
use crate::sandbox::protocol::{MOST_MEMORY, TaskEnd, Template};
use crate::sys::clock::{self, Meter};
use crate::sys::{files, lay, namespace};

/// Renders and writes them up to the first that fails. How each ended goes to `ends` at once, so that it is known even
/// when this process is killed in the middle of the next.
pub(super) fn all(
    module: &ModuleName,
    folder: &Path,
    templates: &[Template],
    values: &mut File,
    ends: &mut File,
) -> i32 {
    let mut each = || -> io::Result<i32> {
        namespace::limit_memory(MOST_MEMORY).map_err(io::Error::other)?;
        let mut json = Vec::new();
        values.rewind()?;
        values.read_to_end(&mut json)?;
        let renderer = Renderer::from_json(&json)?;
        for template in templates {
            // Else each would show the largest of those before it.
            clock::forget_size();
            let meter = Meter::start();
            let outcome = one(&renderer, module, folder, template);
            let end = TaskEnd { outcome, cost: meter.stop() };
            let mut line = serde_json::to_vec(&end)?;
            line.push(b'\n');
            ends.write_all(&line)?;
            if !end.outcome.is_done() {
                return Ok(end.outcome.exit_status());
            }
        }
        Ok(0)
    };
    each().unwrap_or_else(|error| told(Err(error)))
}

fn one(renderer: &Renderer, module: &ModuleName, folder: &Path, template: &Template) -> Outcome {
    let path = folder.join(&template.template);
    let read = files::read_to_string(&path).and_then(|text| Ok((text, files::mode(&path)?)));
    let (source, mode) = match read {
        Ok(read) => read,
        Err(error) => return exited(told(Err(error))),
    };
    match renderer.render(module, &template.template, &source) {
        Ok(text) => exited(told(lay::file(&mut Cursor::new(text), &template.target, mode))),
        Err(error) => {
            // The message is what the step printed.
            eprintln!("{error}");
            Outcome::Failed { reason: "the template does not render".to_owned() }
        }
    }
}
