//! A plan as text, for people and for other programs.

use serde_json::json;

use crate::model::names::ModuleName;
use crate::model::plan::Plan;

/// One line a module, in order, with what it comes directly after.
pub fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for planned in &plan.modules {
        let needs: Vec<&str> = planned.needs.iter().map(ModuleName::as_str).collect();
        text += planned.module.name.as_str();
        if !needs.is_empty() {
            text += " after ";
            text += &needs.join(", ");
        }
        text += "\n";
    }
    text
}

/// The graph in Graphviz's language: an edge from each module to each that comes after it.
pub fn dot(plan: &Plan) -> String {
    let mut text = "digraph disco {\n    rankdir = LR;\n".to_owned();
    // A module's name holds neither quote nor backslash.
    for planned in &plan.modules {
        text += &format!("    \"{}\";\n", planned.module.name);
    }
    for planned in &plan.modules {
        for need in &planned.needs {
            text += &format!("    \"{need}\" -> \"{}\";\n", planned.module.name);
        }
    }
    text + "}\n"
}

/// One JSON object: `schema`, and `modules` in order, each with its `name`, `needs` and `steps`.
pub fn json(plan: &Plan) -> String {
    let modules: Vec<_> = plan
        .modules
        .iter()
        .map(|planned| {
            let steps: Vec<&str> = planned.module.steps.iter().map(|step| step.label()).collect();
            json!({"name": planned.module.name, "needs": planned.needs, "steps": steps})
        })
        .collect();
    json!({"schema": 1, "modules": modules}).to_string() + "\n"
}
