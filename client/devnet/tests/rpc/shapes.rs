//! Checks answers against `test-vectors/rpc/{methods,shapes}.json`; the notation is explained in `scripts/rpc-shapes`.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a method takes and answers.
pub struct Signature {
    pub params: Vec<String>,
    pub result: String,
}

/// Both tables.
pub struct Shapes {
    pub methods: BTreeMap<String, Signature>,
    shapes: BTreeMap<String, Fields>,
}

#[derive(Default)]
struct Fields {
    needed: BTreeMap<String, String>,
    free: BTreeMap<String, String>,
}

fn read(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/rpc").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, shape)| (name.clone(), shape.as_str().unwrap().to_owned())).collect()
}

impl Shapes {
    pub fn open() -> Self {
        let name = |case: &Value| case["name"].as_str().unwrap().to_owned();
        let methods = read("methods.json").into_iter().map(|case| {
            let params = case["params"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned());
            let signature = Signature { params: params.collect(), result: case["result"].as_str().unwrap().to_owned() };
            (name(&case), signature)
        });
        let shapes = read("shapes.json")
            .into_iter()
            .map(|case| (name(&case), Fields { needed: texts(&case["fields"]), free: texts(&case["optional"]) }));
        Self { methods: methods.collect(), shapes: shapes.collect() }
    }

    /// What is wrong with a value, and where.
    pub fn check(&self, shape: &str, value: &Value) -> Result<(), String> {
        self.walk(shape, value).map_err(|wrong| format!("{wrong}, shape {shape}"))
    }

    fn walk(&self, shape: &str, value: &Value) -> Result<(), String> {
        let wrong = || Err(format!(" is no {shape}: {value:.200}"));
        if let Some(inner) = shape.strip_prefix('?') {
            return if value.is_null() { Ok(()) } else { self.walk(inner, value) };
        }
        if let Some(list) = shape.strip_prefix('[') {
            let (inner, filled) = match list.strip_suffix("]+") {
                Some(inner) => (inner, true),
                None => (list.strip_suffix(']').expect("a list ends"), false),
            };
            let Some(values) = value.as_array().filter(|values| !filled || !values.is_empty()) else { return wrong() };
            let each = values.iter().enumerate().map(|(at, v)| self.walk(inner, v).map_err(|w| format!("[{at}]{w}")));
            return each.collect();
        }
        if let Some(inner) = shape.strip_prefix('{') {
            let Some(values) = value.as_object() else { return wrong() };
            let inner = inner.strip_suffix('}').expect("a map ends");
            return values.iter().try_for_each(|(key, v)| self.walk(inner, v).map_err(|w| format!(".{key}{w}")));
        }
        if let Some(name) = shape.strip_prefix('#') {
            return self.fields(name, value);
        }
        let text = value.as_str();
        let is = match shape {
            "any" => true,
            "null" => value.is_null(),
            "bool" => value.is_boolean(),
            "int" => value.is_i64(),
            "uint" => value.is_u64(),
            "number" => value.is_number(),
            "text" => text.is_some(),
            "cid" => {
                let link = value.as_object().filter(|o| o.len() == 1).and_then(|o| o.get("/"));
                link.and_then(Value::as_str).is_some_and(|text| text.parse::<cid::Cid>().is_ok())
            }
            // This network's letter.
            "address" => text.is_some_and(|t| t.starts_with('t') && bauta_client::address::parse(t).is_ok()),
            "amount" => text.is_some_and(|t| {
                let digits = t.strip_prefix('-').unwrap_or(t);
                !digits.is_empty()
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && (digits == "0" || !digits.starts_with('0'))
            }),
            "base64" => text.is_some_and(|t| STANDARD.decode(t).is_ok()),
            other => panic!("`{other}` is no shape"),
        };
        if is { Ok(()) } else { wrong() }
    }

    fn fields(&self, name: &str, value: &Value) -> Result<(), String> {
        let fields = self.shapes.get(name).unwrap_or_else(|| panic!("shapes.json lacks {name}"));
        let Some(given) = value.as_object() else { return Err(format!(" is no {name}: {value:.200}")) };
        for field in fields.needed.keys() {
            if !given.contains_key(field) {
                return Err(format!(" lacks {field}"));
            }
        }
        for (field, inner) in given {
            let shape = fields.needed.get(field).or_else(|| fields.free.get(field));
            let shape = shape.ok_or_else(|| format!(" has a field {field} that {name} has not"))?;
            self.walk(shape, inner).map_err(|wrong| format!(".{field}{wrong}"))?;
        }
        Ok(())
    }
}

/// A value with one thing wrong with it, in every way that there is: a field gone, a field of another kind, a field too many.
pub fn spoiled(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) => {
            let mut all = Vec::new();
            for (name, inner) in fields {
                let with = |other: Value| {
                    let mut copy = fields.clone();
                    copy.insert(name.clone(), other);
                    Value::Object(copy)
                };
                all.extend(spoiled(inner).into_iter().map(with));
            }
            let mut more = fields.clone();
            more.insert("Nonsense".into(), Value::Bool(true));
            all.push(Value::Object(more));
            all
        }
        Value::Array(values) => {
            let Some(first) = values.first() else { return vec![] };
            let with = |other: Value| Value::Array([&[other], &values[1..]].concat());
            spoiled(first).into_iter().map(with).collect()
        }
        Value::String(_) => vec![Value::Bool(true), Value::from(1)],
        Value::Number(_) => vec![Value::from("1"), Value::Bool(true), Value::from(1.5)],
        Value::Bool(_) => vec![Value::from(1), Value::from("true")],
        Value::Null => vec![],
    }
}
