//! Engines as a person meets them: chosen by a flag, missing, broken, compared.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::{Said, command, tipoff};

const FEATURES: &str = "points_avg_last_5,points_avg_last_10,points_avg_season,points_std_last_10,home_away,games_in_last_7_days";
const WINDOW: [&str; 4] = ["--trained-from", "2023-10-24", "--trained-until", "2025-11-09"];

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Whether ONNX Runtime is there; a machine that must have it and has not fails the test that asks.
#[allow(clippy::print_stderr)] // a test that is left out says so
fn has_ort() -> bool {
    let library = models::ort::library();
    let is_required = std::env::var_os("TIPOFF_REQUIRE_ORT").is_some_and(|value| !value.is_empty());
    assert!(library.is_ok() || !is_required, "TIPOFF_REQUIRE_ORT is set: {library:?}");
    if let Err(why) = &library {
        eprintln!("left out, for want of ONNX Runtime: {why}");
    }
    library.is_ok()
}

fn predictions(said: &Said) -> Vec<Option<f64>> {
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    answer["predictions"].as_array().unwrap().iter().map(serde_json::Value::as_f64).collect()
}

fn write_rows(folder: &Path) {
    let rows = "12.5,11,10.25,4,1,2\n30,28.5,27,6.5,0,3\n,8,9,2,1,\n0.5,0,1,0.25,0,1\n";
    std::fs::write(folder.join("rows.csv"), format!("{FEATURES}\n{rows}")).unwrap();
}

#[test]
fn rows_come_as_parquet_as_well() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path());
    let names: Vec<&str> = FEATURES.split(',').collect();
    let kinds = ["double", "float", "double", "double", "int64", "int64"];
    let fields: String =
        names.iter().zip(kinds).map(|(name, kind)| format!("optional {kind} {name}; ")).collect();
    let message = format!("message rows {{ optional binary player (UTF8); {fields} }}");
    let schema = Arc::new(parse_message_type(&message).unwrap());
    let path = folder.path().join("rows.of_any_name");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    macro_rules! column {
        ($kind:ty, $levels:expr, $values:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<$kind>().write_batch(&$values, Some(&$levels), None).unwrap();
            column.close().unwrap();
        };
    }
    let all = [1_i16; 4];
    column!(ByteArrayType, all, ["a", "b", "c", "d"].map(ByteArray::from));
    column!(DoubleType, [1, 1, 0, 1], [12.5, 30.0, 0.5]);
    column!(FloatType, all, [11.0, 28.5, 8.0, 0.0]);
    column!(DoubleType, all, [10.25, 27.0, 9.0, 1.0]);
    column!(DoubleType, all, [4.0, 6.5, 2.0, 0.25]);
    column!(Int64Type, all, [1, 0, 1, 0]);
    column!(Int64Type, [1, 1, 0, 1], [2, 3, 1]);
    group.close().unwrap();
    writer.close().unwrap();

    // By name: the card leaves the players alone.
    let trees = fixture("catboost_symmetric.onnx");
    let import =
        ["--models", "zoo", "models", "import", &trees, "--system", "mine_v1", "--features", FEATURES];
    tipoff(folder.path(), &[&import[..], &WINDOW].concat()).exit(0);
    let ask = |rows: &str| {
        tipoff(folder.path(), &["--models", "zoo", "models", "predict", "mine_v1", "--in", rows, "--json"])
    };
    let answers = predictions(&ask("rows.of_any_name").exit(0));
    assert_eq!(answers, predictions(&ask("rows.csv").exit(0)));
    assert_eq!((answers.len(), answers.iter().flatten().count()), (4, 4));

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(folder.path().join("cut"), &whole[..whole.len() / 2]).unwrap();
    let cut = ask("cut").exit(1);
    assert!(cut.err.contains("cut: "), "{}", cut.err);
    let alone = tipoff(folder.path(), &["models", "predict", &trees, "--in", "rows.of_any_name"]).exit(2);
    assert!(alone.err.contains("the rows have 7 columns, the model takes 6 features"), "{}", alone.err);
    let text = "message rows { optional binary points_avg_last_5 (UTF8); }";
    let file = std::fs::File::create(folder.path().join("text")).unwrap();
    let schema = Arc::new(parse_message_type(text).unwrap());
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("many")], Some(&[1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let args = ["models", "predict", "moving_average_v1", "--in", "text"];
    let text = tipoff(folder.path(), &args);
    assert!(
        text.err.contains("no column") || text.err.contains("the text `many` is not a number"),
        "{text:?}"
    );
}

#[test]
fn an_engine_is_a_choice_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path());
    let trees = fixture("catboost_symmetric.onnx");
    let network = fixture("network.onnx");
    let ask = |model: &str, engine: &str| {
        tipoff(folder.path(), &["models", "predict", model, "--in", "rows.csv", "--engine", engine, "--json"])
    };
    let native = predictions(&ask(&trees, "native").exit(0));
    let unsaid = tipoff(folder.path(), &["models", "predict", &trees, "--in", "rows.csv", "--json"]).exit(0);
    assert_eq!(native, predictions(&unsaid));
    for (model, engine, code, words) in [
        (&*trees, "candle", 2, "engine `candle` needs a card"),
        ("network_v2_noveg", "ort", 1, "engine `ort` cannot run a model of engine `candle`"),
        ("catboost_v2", "candle", 1, "engine `candle` cannot run a model of engine `native`"),
        ("moving_average_v1", "native", 1, "engine `native` cannot run a model of engine `formula`"),
        (&*network, "native", 1, "`--engine ort` runs other ONNX graphs"),
        (&*trees, "magic", 2, "invalid value 'magic'"),
    ] {
        let said = ask(model, engine).exit(code);
        assert!(said.err.contains(words), "{model} on {engine}: {}", said.err);
    }
    if has_ort() {
        let ort = predictions(&ask(&trees, "ort").exit(0));
        for (native, ort) in native.iter().zip(&ort) {
            assert!((native.unwrap() - ort.unwrap()).abs() < 1e-4, "{native:?} {ort:?}");
        }
        let said = ask(&network, "ort").exit(0);
        let answers = predictions(&said);
        // The third row has gaps, and this network has learned nothing about gaps.
        assert_eq!(answers.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true]);
    }
}

#[test]
fn the_speed_of_any_engine_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = vec![("network_v2_noveg", "candle"), ("catboost_v2", "native")];
    if has_ort() {
        asked.push(("catboost_v2", "ort"));
    }
    for (model, engine) in asked {
        let args = ["bench", "inference", "--model", model, "--engine", engine, "--batch", "5", "--json"];
        let said = tipoff(folder.path(), &args).exit(0);
        let measured: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(measured["engine"], engine);
        assert!(measured["us_per_row_min"].as_f64().unwrap() > 0.0, "{measured}");
    }
}

#[test]
fn a_file_of_several_numbers_a_row_is_imported_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let quantiles = fixture("three_heads.onnx");
    let import = |system: &str, more: &[&str]| {
        let args =
            ["--models", "zoo", "models", "import", &quantiles, "--system", system, "--features", FEATURES];
        tipoff(folder.path(), &[&args[..], &WINDOW, more].concat())
    };
    let unsaid = import("unsaid_v1", &[]).exit(1);
    assert!(unsaid.err.contains("say which with --head, 0 to 2"), "{}", unsaid.err);
    let beyond = import("beyond_v1", &["--head", "3"]).exit(2);
    assert!(beyond.err.contains("there is no number 3"), "{}", beyond.err);
    write_rows(folder.path());
    for head in 0..3_u32 {
        let system = format!("head_{head}_v1");
        import(&system, &["--head", &head.to_string()]).exit(0);
        let ask = ["--models", "zoo", "models", "predict", &system, "--in", "rows.csv", "--json"];
        let answers = predictions(&tipoff(folder.path(), &ask).exit(0));
        let base = f64::from(head * 40);
        // How many of the first four features lie above 12.
        assert_eq!(answers, [1.0, 3.0, 0.0, 0.0].map(|over| Some(base + over)), "head {head}");
        let shown = tipoff(folder.path(), &["--models", "zoo", "models", "show", &system]).exit(0);
        assert!(shown.out.contains(&format!("number {head}")), "{}", shown.out);
    }
}

#[test]
fn what_native_does_not_run_is_imported_for_onnx_runtime_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let network = fixture("network.onnx");
    let args =
        ["--models", "zoo", "models", "import", &network, "--system", "net_v1", "--features", FEATURES];
    let args = [&args[..], &WINDOW].concat();
    // Without the library neither can, and both say so.
    let without = command(folder.path()).args(&args).env("ORT_DYLIB_PATH", "nowhere.so").output().unwrap();
    let without = Said::from(without).exit(1);
    assert!(without.err.contains("the native engine does not run `Gemm` named `first`"), "{without:?}");
    assert!(
        without.err.contains("nor is it for ONNX Runtime: there is no ONNX Runtime at `nowhere.so`"),
        "{without:?}"
    );
    assert!(!folder.path().join("zoo").exists(), "a refused import leaves nothing behind");
    if !has_ort() {
        return;
    }
    let imported = tipoff(folder.path(), &args).exit(0);
    assert!(imported.out.contains("it is a shadow; ONNX Runtime runs it: "), "{}", imported.out);
    write_rows(folder.path());
    let ask = ["--models", "zoo", "models", "predict", "net_v1", "--in", "rows.csv", "--json"];
    assert_eq!(predictions(&tipoff(folder.path(), &ask).exit(0)).len(), 4);

    // On a machine without the library the rest serve, and the list says what to install.
    let list = ["--models", "zoo", "models", "list", "--json"];
    let bare = command(folder.path()).args(list).env("ORT_DYLIB_PATH", "nowhere.so").output().unwrap();
    let bare: serde_json::Value = serde_json::from_str(&Said::from(bare).exit(3).out).unwrap();
    let refused = bare["refused"].as_array().unwrap();
    assert_eq!((refused.len(), &refused[0]["name"]), (1, &serde_json::json!("net_v1.points.toml")));
    let reason = refused[0]["reason"].as_str().unwrap();
    assert!(reason.contains("there is no ONNX Runtime at `nowhere.so`"), "{reason}");
    let served =
        bare["models"].as_array().unwrap().iter().filter(|model| model["system_id"] == "catboost_v2");
    assert_eq!(served.count(), 4, "the rest serve");
}

#[test]
fn the_doctor_compares_the_engines_or_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let doctor = |place: Option<&str>| {
        let mut doctor = command(folder.path());
        doctor.args(["doctor", "--json"]);
        if let Some(place) = place {
            doctor.env("TIPOFF_ENGINES_ONNXRUNTIME", place);
        }
        let said = Said::from(doctor.output().unwrap());
        let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "onnx runtime").unwrap();
        (check["level"].as_str().unwrap().to_owned(), check["sentence"].as_str().unwrap().to_owned())
    };
    let (level, sentence) = doctor(Some("nowhere.so"));
    assert_eq!(level, "degraded");
    assert!(
        sentence.contains("there is no ONNX Runtime at `nowhere.so`, which [engines] onnxruntime"),
        "{sentence}"
    );
    if has_ort() {
        let (level, sentence) = doctor(None);
        assert_eq!(level, "ok", "{sentence}");
        assert!(sentence.contains("agrees with native on 17 models: at most"), "{sentence}");
    }
}

/// A shared library that looks like ONNX Runtime as far as its source goes.
fn library(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (c, so) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&c, source).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&so).arg(&c).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    so
}

#[test]
fn a_library_that_is_wrong_old_or_broken_ends_neither_the_process_nor_the_other_models() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(folder.path());
    let base = |version: &str, base: &str| {
        format!(
            "struct base {{ const void *(*get_api)(unsigned); const char *(*version)(void); }};\n\
             static const void *get_api(unsigned version) {{ return 0; }}\n\
             static const char *version(void) {{ return \"{version}\"; }}\n\
             static struct base base = {{ get_api, version }};\n\
             const struct base *OrtGetApiBase(void) {{ return {base}; }}\n"
        )
    };
    let mut cases = vec![
        (library(folder.path(), "other", "int answer(void) { return 42; }\n"), "it is no ONNX Runtime"),
        (library(folder.path(), "old", &base("1.10.0", "&base")), "its version 1.10.0 is too old"),
        (library(folder.path(), "odd", &base("soon", "&base")), "its version soon is too old"),
        (library(folder.path(), "empty", &base("1.31.1", "0")), "it does not work"),
        (library(folder.path(), "refusing", &base("1.31.1", "&base")), "it does not work"),
    ];
    let whole = std::fs::read(&cases[0].0).unwrap();
    let cut = folder.path().join("cut.so");
    std::fs::write(&cut, &whole[..whole.len() / 3]).unwrap();
    cases.push((cut, "it ends in the middle"));
    let text = folder.path().join("text.so");
    std::fs::write(&text, "GROUP ( libonnxruntime.so.1 )").unwrap();
    cases.push((text, "it is not a shared library of this system"));

    let trees = fixture("catboost_symmetric.onnx");
    for (library, words) in cases {
        let ask = ["models", "predict", &trees, "--in", "rows.csv", "--engine", "ort"];
        let said = command(folder.path()).args(ask).env("ORT_DYLIB_PATH", &library).output().unwrap();
        let said = Said::from(said).exit(1);
        assert!(said.err.contains(words), "{}: {}", library.display(), said.err);
        let list = command(folder.path()).args(["models", "list"]).env("ORT_DYLIB_PATH", &library).output();
        Said::from(list.unwrap()).exit(0);
    }
}
