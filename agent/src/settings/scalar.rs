//! What a scalar means where a smart proxy reads it: as Ruby's YAML does, which is older than YAML 1.2. `yes` and `on` are true, a
//! colon before a word makes a symbol, a quoted text is a text.

use crate::settings::value::Value;

/// The meaning of a scalar without quotes.
pub fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    for (words, value) in [(["yes", "true", "on"], true), (["no", "false", "off"], false)] {
        if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Value::Bool(value);
        }
    }
    if let Some(number) = number(text) {
        return number;
    }
    match symbol(text) {
        Some(name) => Value::text(name),
        None => Value::text(text),
    }
}

/// The name of a symbol; `None` where the text is none.
pub fn symbol(text: &str) -> Option<&str> {
    let name = text.strip_prefix(':')?;
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    (!name.is_empty() && !name.starts_with(':')).then_some(name)
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let bare = text.replace(['_', ','], "");
    let (sign, digits) = match bare.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", bare.strip_prefix('+').unwrap_or(&bare)),
    };
    // As Ruby writes them: 0x1f, 0b11, and 0755, which is octal.
    let based = [("0x", 16), ("0b", 2)]
        .into_iter()
        .find_map(|(start, base)| digits.strip_prefix(start).map(|rest| (rest, base)))
        .or_else(|| digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8)));
    if let Some((rest, base)) = based
        && !rest.starts_with(['+', '-'])
        && let Ok(value) = i64::from_str_radix(&format!("{sign}{rest}"), base)
    {
        return Some(Value::Int(value));
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !(digits.len() > 1 && digits.starts_with('0')) {
        return bare.parse().ok().map(Value::Int);
    }
    let (whole, _) = digits.split_once('.')?;
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    bare.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::Float)
}
