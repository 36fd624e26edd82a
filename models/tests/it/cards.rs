//! Cards that make sense, and the sentence for each that does not.

use jiff::civil::{Date, date};
use models::{Card, EngineKind, EngineName, Target};
use proto::Role;

pub(crate) const NATIVE: &str = r#"
format = 1
system_id = "trees_v1"
market = "points"
target = "points"
role = "shadow"
engine = "native"
file = "trees_v1.onnx"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
features = ["points_avg_last_5", "vegas_points_line"]
hold_below = 1.5
notes = "for tests"

[training]
start = "2023-10-24"
end = "2025-11-09"

[metrics]
mae = 4.85
rounds = 400

[[reference]]
inputs = [20.5, nan]
expected = 19.25
"#;

pub(crate) const FORMULA: &str = r#"
format = 1
system_id = "mean_v1"
market = "points"
target = "points"
role = "shadow"
engine = "formula"
features = ["points_avg_last_5", "points_avg_season"]

[weights]
points_avg_last_5 = 0.5
points_avg_season = 0.5

[[reference]]
inputs = [20, 10]
expected = 15
"#;

/// A card for a small network of the same features.
pub(crate) fn network_card() -> String {
    let network = "[network]\nlayers = [3, 1]\nactivation = \"relu\"\nmissing = \"mean_and_flag\"\nlimit = 6.0\n\
                   mean = [10.5, 12.25]\nscale = [4.0, 0.5]\n\n[training]";
    NATIVE
        .replace("engine = \"native\"", "engine = \"candle\"")
        .replace("trees_v1.onnx", "net_v1.safetensors")
        .replace("[training]", network)
}

#[test]
fn a_card_reads_as_it_is_written() {
    let card = Card::parse(NATIVE).unwrap();
    assert_eq!((card.system_id.as_str(), card.market.as_str()), ("trees_v1", "points"));
    assert_eq!((card.target, card.role, card.width()), (Target::Points, Role::Shadow, 2));
    assert_eq!(card.file().unwrap().name, "trees_v1.onnx");
    assert_eq!(card.hold_below, Some(1.5));
    assert_eq!(card.metrics["rounds"], 400.0);
    assert!(card.references[0].inputs[1].is_nan());
    let formula = Card::parse(FORMULA).unwrap();
    assert!(matches!(formula.engine, EngineKind::Formula { intercept: 0.0, .. }));
    assert_eq!(formula.references[0].expected, 15.0);
}

#[test]
fn illegal_cards_are_refused_with_a_sentence() {
    // Card, text to find, text to put there, words of the sentence.
    let cases = [
        (NATIVE, "format = 1", "format = 2", "the card has format 2"),
        (NATIVE, "format = 1", "", "missing field `format`"),
        (NATIVE, "notes =", "nots =", "unknown field `nots`"),
        (NATIVE, "notes =", "notes", "not readable"),
        (NATIVE, "\"trees_v1\"", "\"Trees v1\"", "is not a system id"),
        (NATIVE, "role = \"shadow\"", "role = \"boss\"", "boss"),
        (NATIVE, "engine = \"native\"", "engine = \"magic\"", "unknown variant `magic`"),
        (NATIVE, "target = \"points\"", "target = \"rebounds\"", "unknown variant `rebounds`"),
        (NATIVE, "file = \"trees_v1.onnx\"", "", "engine `native` needs `file`"),
        (NATIVE, "sha256 = \"01", "# \"01", "engine `native` needs `sha256`"),
        (NATIVE, "sha256 = \"01", "sha256 = \"Z1", "must be 64 lower-case hexadecimal digits"),
        (NATIVE, "trees_v1.onnx", "../trees_v1.onnx", "must be a plain name beside the card"),
        (NATIVE, "trees_v1.onnx", "/etc/passwd", "must be a plain name beside the card"),
        (NATIVE, "hold_below = 1.5", "hold_below = -1.0", "hold_below is -1"),
        (NATIVE, "hold_below = 1.5", "hold_below = nan", "hold_below is NaN"),
        (NATIVE, "role = \"shadow\"", "role = \"disabled\"", "a disabled one recommends nothing"),
        (NATIVE, "hold_below = 1.5", "intercept = 1.0", "`intercept` has no meaning for engine `native`"),
        (NATIVE, "2025-11-09", "2023-01-01", "ends on 2023-01-01, before it starts on 2023-10-24"),
        (NATIVE, "2025-11-09", "yesterday", "not readable"),
        (NATIVE, "mae = 4.85", "mae = inf", "the metric `mae` must be a finite number"),
        (NATIVE, "[20.5, nan]", "[20.5]", "reference vector 0 has 1 inputs, the card names 2 features"),
        (NATIVE, "expected = 19.25", "expected = nan", "the expected answer of reference vector 0"),
        (NATIVE, "\"vegas_points_line\"", "\"points_avg_last_5\"", "`points_avg_last_5` is named twice"),
        (NATIVE, "\"vegas_points_line\"", "\"Vegas Line\"", "`Vegas Line` is not one"),
        (
            NATIVE,
            "[training]\nstart = \"2023-10-24\"\nend = \"2025-11-09\"",
            "",
            "engine `native` needs `training`",
        ),
        (
            FORMULA,
            "features = [\"points_avg_last_5\", \"points_avg_season\"]",
            "features = []",
            "names no feature",
        ),
        (FORMULA, "engine = \"formula\"", "engine = \"formula\"\nfile = \"x.onnx\"", "`file` has no meaning"),
        (NATIVE, "hold_below = 1.5", "head = -1", "not readable"),
        (NATIVE, "hold_below = 1.5", "[network]", "not readable"),
        (FORMULA, "engine = \"formula\"", "engine = \"formula\"\nhead = 0", "`head` has no meaning"),
        (FORMULA, "engine = \"formula\"", "engine = \"formula\"\nsha256 = \"00\"", "`sha256` has no meaning"),
        (FORMULA, "points_avg_season = 0.5", "", "the feature `points_avg_season` has no weight"),
        (
            FORMULA,
            "points_avg_season = 0.5",
            "points_avg_seasn = 0.5",
            "`points_avg_seasn` belongs to no feature",
        ),
        (FORMULA, "points_avg_season = 0.5", "points_avg_season = nan", "the weight of `points_avg_season`"),
        (FORMULA, "[weights]\npoints_avg_last_5 = 0.5\npoints_avg_season = 0.5", "", "needs `weights`"),
        (FORMULA, "[[reference]]\ninputs = [20, 10]\nexpected = 15", "", "the card has no reference vector"),
    ];
    let network = network_card();
    let of_networks = [
        ("layers = [3, 1]", "layers = [3, 2]", "`layers` must end with 1"),
        ("layers = [3, 1]", "layers = []", "`layers` must end with 1"),
        ("layers = [3, 1]", "layers = [0, 1]", "a layer has 0 numbers"),
        ("layers = [3, 1]", "layers = [5000, 1]", "a layer has 5000 numbers"),
        ("\"relu\"", "\"swish\"", "unknown variant `swish`"),
        ("\"mean_and_flag\"", "\"zero\"", "unknown variant `zero`"),
        ("limit = 6.0", "limit = 0.0", "`limit` must be finite and above 0"),
        ("mean = [10.5, 12.25]", "mean = [10.5]", "`mean` has 1 numbers for 2 features"),
        ("mean = [10.5, 12.25]", "mean = [10.5, nan]", "every `mean` must be finite"),
        ("scale = [4.0, 0.5]", "scale = [4.0, 0.0]", "every `scale` must be finite and above 0"),
        ("scale = [4.0, 0.5]", "", "missing field `scale`"),
        ("hold_below = 1.5", "head = 0", "`head` has no meaning for engine `candle`"),
        ("\"candle\"", "\"native\"", "`network` has no meaning for engine `native`"),
    ];
    let of_networks = of_networks.map(|(from, to, words)| (network.as_str(), from, to, words));
    for (card, from, to, words) in cases.into_iter().chain(of_networks) {
        let text = card.replacen(from, to, 1);
        assert_ne!(text, card, "`{from}` is not in the card");
        let sentence = Card::parse(&text).expect_err(words).to_string();
        assert!(sentence.contains(words), "expected `{words}` in `{sentence}`");
        assert!(!sentence.contains('\n'), "a sentence is one line: {sentence}");
    }
}

#[test]
fn the_pin_changes_with_what_changes_an_answer_and_with_nothing_else() {
    let pin = |text: &str| Card::parse(text).unwrap().pin_sha256();
    let network = network_card();
    let changes = [
        (NATIVE, "sha256 = \"01", "sha256 = \"11"),
        (NATIVE, "target = \"points\"", "target = \"margin_over_line\""),
        (
            NATIVE,
            "[\"points_avg_last_5\", \"vegas_points_line\"]",
            "[\"vegas_points_line\", \"points_avg_last_5\"]",
        ),
        (NATIVE, "hold_below = 1.5", "hold_below = 2.5"),
        (NATIVE, "hold_below = 1.5", ""),
        (NATIVE, "2025-11-09", "2025-11-10"),
        (NATIVE, "hold_below = 1.5", "hold_below = 1.5\nhead = 0"),
        (NATIVE, "engine = \"native\"", "engine = \"ort\""),
        (&network, "layers = [3, 1]", "layers = [4, 1]"),
        (&network, "\"relu\"", "\"tanh\""),
        (&network, "\"mean_and_flag\"", "\"no_answer\""),
        (&network, "limit = 6.0", ""),
        (&network, "12.25", "12.5"),
        (&network, "[4.0, 0.5]", "[4.0, 0.25]"),
        (FORMULA, "points_avg_last_5 = 0.5", "points_avg_last_5 = 0.6"),
        (FORMULA, "engine = \"formula\"", "engine = \"formula\"\nintercept = 0.1"),
    ];
    for (card, from, to) in changes {
        assert_ne!(pin(card), pin(&card.replacen(from, to, 1)), "`{from}` to `{to}` must change the pin");
    }
    let same = [
        (NATIVE, "notes = \"for tests\"", "notes = \"for people\""),
        (NATIVE, "role = \"shadow\"", "role = \"champion\""),
        (NATIVE, "mae = 4.85", "mae = 4.95"),
        (NATIVE, "expected = 19.25", "expected = 19.26"),
        (NATIVE, "trees_v1.onnx", "renamed.onnx"),
    ];
    for (card, from, to) in same {
        let changed = card.replacen(from, to, 1);
        assert_ne!(changed, card);
        assert_eq!(pin(card), pin(&changed), "`{from}` to `{to}` must not change the pin");
    }
}

#[test]
fn incident_77_a_model_knows_the_days_it_was_trained_on_and_its_age() {
    let card = Card::parse(NATIVE).unwrap();
    let cases: [(Date, bool, i64); 4] = [
        (date(2025, 11, 8), true, -1),
        (date(2025, 11, 9), true, 0),
        (date(2025, 11, 10), false, 1),
        (date(2025, 11, 19), false, 10),
    ];
    for (game_date, in_sample, age) in cases {
        assert_eq!(
            (card.in_sample(game_date), card.age_days(game_date)),
            (in_sample, Some(age)),
            "{game_date}"
        );
    }
    let formula = Card::parse(FORMULA).unwrap();
    assert_eq!((formula.in_sample(date(2025, 11, 8)), formula.age_days(date(2025, 11, 8))), (false, None));
}

#[test]
fn only_a_tree_ensemble_may_choose_its_engine() {
    let on = |text: &str, engine| Card::parse(text).unwrap().on(engine).map(|card| card.engine.name());
    let network = network_card();
    for (text, own) in
        [(NATIVE, EngineName::Native), (FORMULA, EngineName::Formula), (&network, EngineName::Candle)]
    {
        assert_eq!(on(text, own).unwrap(), own, "its own engine is no change");
    }
    assert_eq!(on(NATIVE, EngineName::Ort).unwrap(), EngineName::Ort);
    let ort = NATIVE.replace("\"native\"", "\"ort\"");
    assert_eq!(on(&ort, EngineName::Native).unwrap(), EngineName::Native);
    for (text, engine, words) in [
        (&*network, EngineName::Ort, "engine `ort` cannot run a model of engine `candle`"),
        (NATIVE, EngineName::Candle, "engine `candle` cannot run a model of engine `native`"),
        (FORMULA, EngineName::Native, "engine `native` cannot run a model of engine `formula`"),
    ] {
        let sentence = on(text, engine).unwrap_err().to_string();
        assert!(sentence.contains(words), "{sentence}");
    }
}
