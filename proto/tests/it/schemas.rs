//! The JSON Schemas of events say what the types say: each is held against its event as it is serialised.
//!
//! The schemas use few words, and [`problems`] knows exactly those: a word it does not know fails the test rather than
//! being skipped.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proto::event::{BATCH_ENDED, BatchEnded, CloudEvent};
use proto::outcome::OutcomeCounts;
use proto::verdict::{
    Carried, EndState, Finding, FindingLevel, Health, HealthLevel, Receipt, Verdict, VerdictReason,
};
use proto::{Slate, Sport};
use serde_json::{Map, Value, json};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn schema(kind: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join(format!("{kind}.json"))).unwrap()).unwrap()
}

fn receipt() -> Receipt {
    let counts = |name: &str, n: u64| [(name.to_owned(), n)].into();
    let finding = Finding {
        code: "no_edge".to_owned(),
        level: FindingLevel::Info,
        sentence: "no edge of 3 or more tonight".to_owned(),
        count: 12,
    };
    Receipt {
        batch_id: "batch_2026-01-23_1769180406".parse().unwrap(),
        slate: Slate::nba("2026-01-23".parse().unwrap()),
        generation: 2,
        verdict: Verdict {
            state: EndState::Partial,
            reason: VerdictReason::Unfinished,
            sentence: "1 of 3 jobs failed".to_owned(),
        },
        jobs: OutcomeCounts { predicted: 2, failed: 1, ..OutcomeCounts::default() },
        reasons: counts("predicted", 2),
        rows_owed: 3,
        published: 2,
        refused: counts("model", 1),
        carried: vec![Carried {
            key: "20260123_BOS_NYK|a|points|alpha".to_owned(),
            batch_id: "batch_2026-01-23_1769180000".parse().unwrap(),
        }],
        invalidated: counts("injured_out", 1),
        by_system: counts("alpha", 2),
        by_market: counts("points", 2),
        by_game: counts("20260123_BOS_NYK", 2),
        by_line_source: counts("ACTUAL_PROP", 2),
        active: 3,
        rows_sha256: "ab".repeat(32),
        slate_sha256: "cd".repeat(32),
        health: Some(Health {
            level: HealthLevel::Healthy,
            findings: vec![finding],
            figures: [("top_edge".to_owned(), 1.5)].into(),
        }),
        decided_at: "2026-01-23T23:10:00Z".parse().unwrap(),
    }
}

fn batch_ended() -> CloudEvent<BatchEnded> {
    CloudEvent::batch_ended(&receipt(), "r1")
}

/// What is wrong with a value, as a path and a sentence each.
fn problems(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, says) in schema.as_object().unwrap() {
        let holds = match word.as_str() {
            "$schema"
            | "$id"
            | "title"
            | "description"
            | "format"
            | "$defs"
            | "required"
            | "additionalProperties" => {
                continue;
            }
            "$ref" => {
                found.extend(problems(value, resolved(says, root), root, at));
                continue;
            }
            "properties" => {
                found.extend(of_object(value, schema, root, at));
                continue;
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                found.extend(items.flat_map(|(n, item)| problems(item, says, root, &format!("{at}[{n}]"))));
                continue;
            }
            "type" => is_of_type(value, says.as_str().unwrap()),
            "const" => value == says,
            "enum" => says.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_some_and(|number| number >= says.as_f64().unwrap()),
            "anyOf" => says.as_array().unwrap().iter().any(|one| problems(value, one, root, at).is_empty()),
            other => panic!("{at}: the schema says `{other}`, which this test does not know"),
        };
        if !holds {
            found.push(format!("{at}: {value} does not hold {word} {says}"));
        }
    }
    // A map: every value is of one kind.
    if let (None, Some(Value::Object(of_each))) =
        (schema.get("properties"), schema.get("additionalProperties"))
    {
        for (key, value) in value.as_object().into_iter().flatten() {
            found.extend(problems(value, &Value::Object(of_each.clone()), root, &format!("{at}.{key}")));
        }
    }
    found
}

fn of_object(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let Some(object) = value.as_object() else { return vec![format!("{at}: {value} is no object")] };
    let properties = schema["properties"].as_object().unwrap();
    let missing = required(schema).into_iter().filter(|name| !object.contains_key(name));
    let mut found: Vec<String> = missing.map(|name| format!("{at}: {name} is missing")).collect();
    for (name, value) in object {
        match properties.get(name) {
            Some(of_it) => found.extend(problems(value, of_it, root, &format!("{at}.{name}"))),
            None => found.push(format!("{at}: {name} is unknown")),
        }
    }
    found
}

fn required(schema: &Value) -> BTreeSet<String> {
    schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn resolved<'a>(reference: &Value, root: &'a Value) -> &'a Value {
    root.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).expect("a reference leads somewhere")
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the schema has the type `{other}`, which this test does not know"),
    }
}

/// Every object of a schema that has fields.
fn objects(root: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let definitions = root["$defs"].as_object().unwrap().values();
    [root]
        .into_iter()
        .chain(definitions)
        .filter_map(Value::as_object)
        .filter(|one| one.contains_key("properties"))
}

/// A value with one change, and where it was made.
type Changed = (String, Value);

/// The event with each of its fields taken away, and each of its objects given one more.
fn damaged(event: &Value, schema: &Value) -> (Vec<Changed>, Vec<Changed>) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut ahead = vec![(String::new(), schema)];
    while let Some((at, of_it)) = ahead.pop() {
        let of_it = of_it.get("$ref").map_or(of_it, |reference| resolved(reference, schema));
        let of_it = of_it.get("anyOf").map_or(of_it, |any| resolved(&any[0]["$ref"], schema));
        if let Some(items) = of_it.get("items") {
            ahead.push((format!("{at}/0"), items));
        }
        let Some(properties) = of_it.get("properties").and_then(Value::as_object) else { continue };
        for (name, of_field) in properties {
            let mut less = event.clone();
            let gone = less.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(name);
            assert!(gone.is_some(), "{at}/{name}: the schema has a field that the event has not");
            without.push((format!("{at}/{name}"), less));
            ahead.push((format!("{at}/{name}"), of_field));
        }
        let mut more = event.clone();
        more.pointer_mut(&at).unwrap().as_object_mut().unwrap().insert("unheard_of".to_owned(), json!(1));
        with.push((at, more));
    }
    (without, with)
}

#[test]
fn every_event_has_its_schema_and_every_schema_its_event() {
    let files =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = files.collect();
    // What comes in is held to its schema where it is read, in `proto/src/trigger.rs`.
    assert_eq!(names, BTreeSet::from([format!("{BATCH_ENDED}.json"), "trigger.v1.json".to_owned()]));
    let schema = schema(BATCH_ENDED);
    assert_eq!(schema["$id"], BATCH_ENDED);
    assert_eq!(schema["properties"]["type"]["const"], BATCH_ENDED);
}

#[test]
fn an_event_as_it_is_sent_holds_its_schema() {
    let schema = schema(BATCH_ENDED);
    let sent = serde_json::to_value(batch_ended()).unwrap();
    assert_eq!(problems(&sent, &schema, &schema, "event"), [""; 0]);
    let mut unjudged = sent;
    unjudged["data"]["receipt"]["health"] = Value::Null;
    assert_eq!(problems(&unjudged, &schema, &schema, "event"), [""; 0]);
}

#[test]
fn a_schema_requires_what_it_names_and_allows_nothing_else() {
    let schema = schema(BATCH_ENDED);
    for object in objects(&schema) {
        let names: BTreeSet<String> = object["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(required(&Value::Object(object.clone())), names, "{object:?}");
        assert_eq!(object["additionalProperties"], false, "{object:?}");
    }
}

#[test]
fn incident_46_what_the_type_refuses_the_schema_refuses_too() {
    let schema = schema(BATCH_ENDED);
    let sent = serde_json::to_value(batch_ended()).unwrap();
    let (without, with) = damaged(&sent, &schema);
    assert!(without.len() > 40 && with.len() == 11, "{} {}", without.len(), with.len());
    let is_read = |event: &Value| serde_json::from_value::<CloudEvent<BatchEnded>>(event.clone()).is_ok();
    for (at, damaged) in without.iter().chain(&with) {
        assert!(!problems(damaged, &schema, &schema, "event").is_empty(), "{at}: the schema takes it");
    }
    for (at, more) in &with {
        assert!(!is_read(more), "{at}: what is unknown is read");
    }
    for (at, less) in &without {
        // Reading takes a missing health for one that could not be judged; what is sent always has it.
        assert_eq!(is_read(less), at == "/data/receipt/health", "{at}");
    }
}

#[test]
fn every_name_of_a_closed_set_is_in_the_schema() {
    let schema = schema(BATCH_ENDED);
    let of = |pointer: &str| -> BTreeSet<String> {
        let names = schema.pointer(pointer).unwrap().as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let all = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(
        of("/$defs/end_state/enum"),
        all(&EndState::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>())
    );
    let reasons: Vec<_> = VerdictReason::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(of("/$defs/verdict/properties/reason/enum"), all(&reasons));
    let levels: Vec<_> = HealthLevel::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(of("/$defs/health/properties/level/enum"), all(&levels));
    let sports: Vec<_> = Sport::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(of("/$defs/slate/properties/sport/enum"), all(&sports));
    let weights: Vec<_> = FindingLevel::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(of("/$defs/finding/properties/level/enum"), all(&weights));
}
