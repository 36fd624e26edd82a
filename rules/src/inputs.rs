//! Did anything change that could change the answer? One fingerprint over everything that decides, and no clock.
//!
//! `only: changed` runs whoever's fingerprint differs from his last settled outcome. The predecessor recomputed each
//! player 25 times a day; books repeat a quote every few minutes, so neither where nor when a quote was seen counts,
//! and alternates never do. What is covered: each main quote's book, market, line and prices (and whether it has
//! provenance at all), injury, game status, tip-off, whether the player is resolved, features with their source and
//! `defaulted` bits, the contract, the pinned models, the policy; of run mode and times only what they decide: whether
//! quality reaches the mode's threshold, and whether the features are newer than their inputs.

use std::collections::BTreeSet;
use std::fmt::Write;

use proto::codec::{SharedBeginning, push_hex};
use proto::{Feature, FeatureSource, Job, Market, ModelPin, Price, Quote, SystemId};

use crate::contract;
use crate::quality;

/// Fingerprints of the jobs of one batch. What the jobs share, the rows wanted, the models pinned for them and the policy, is
/// put into words and hashed once.
#[derive(Debug)]
pub struct Fingerprints<'a> {
    markets: &'a [Market],
    shared: SharedBeginning,
}

impl<'a> Fingerprints<'a> {
    /// For jobs that want these rows of these markets; pins of other rows are not looked at.
    ///
    /// `policy_text` is every other setting that decides, e.g. [`crate::lines::LinePolicy::fingerprint_text`] with the
    /// recommendation's thresholds.
    pub fn new(
        markets: &'a [Market],
        wanted: &[(Market, SystemId)],
        pins: &[ModelPin],
        policy_text: &str,
    ) -> Self {
        Self { markets, shared: SharedBeginning::new(&shared_text(markets, wanted, pins, policy_text)) }
    }

    /// The fingerprint of a job's inputs, hexadecimal; `inputs_sha256` of the job itself is not looked at.
    pub fn of(&self, job: &Job) -> String {
        self.shared.with(&self.own_text(job)).to_string()
    }

    /// One line for each fact of a job, sets sorted.
    fn own_text(&self, job: &Job) -> String {
        let mut text = String::with_capacity(4096);
        line(&mut text, "job", &job.id);
        line(&mut text, "tip_off", job.tip_off);
        line(&mut text, "game_status", job.game_status);
        line(&mut text, "injury", job.injury);
        line(&mut text, "resolved", job.player_resolved);
        let counts = |q: &&Quote| q.is_main && self.markets.contains(&q.market);
        let mut quotes: Vec<String> = job.quotes.iter().filter(counts).map(quote_text).collect();
        quotes.sort_unstable();
        quotes.dedup();
        for quote in quotes {
            line(&mut text, "quote", quote);
        }
        features_text(&mut text, job);
        text
    }
}

/// One line for each fact that the jobs share, sets sorted.
fn shared_text(
    markets: &[Market],
    wanted: &[(Market, SystemId)],
    pins: &[ModelPin],
    policy_text: &str,
) -> String {
    let mut text = String::new();
    for market in markets.iter().collect::<BTreeSet<_>>() {
        line(&mut text, "market", market);
    }
    for (market, system) in wanted.iter().collect::<BTreeSet<_>>() {
        line(&mut text, "wanted", format_args!("{market}|{system}"));
    }
    let is_ours = |pin: &&ModelPin| wanted.iter().any(|(m, s)| *m == pin.market && *s == pin.system_id);
    for pin in pins.iter().filter(is_ours).collect::<BTreeSet<_>>() {
        line(&mut text, "model", format_args!("{}|{}|{}", pin.system_id, pin.market, pin.sha256));
    }
    line(&mut text, "policy", policy_text);
    text
}

/// What a book offers. Its source decides nothing but is shown in the row, so it counts.
fn quote_text(q: &Quote) -> String {
    let [over, under] = [&q.over, &q.under].map(|price| price.as_ref().map_or("-", Price::as_str));
    let has_provenance = q.event_id.is_some() && q.snapshot_at.is_some();
    let book = q.book.as_deref().unwrap_or("-");
    format!("{}|{book}|{}|{over}|{under}|{has_provenance}|{}", q.market, q.line.half_points(), q.source)
}

fn features_text(text: &mut String, job: &Job) {
    let Some(vector) = &job.features else {
        line(text, "features", "none");
        return;
    };
    line(text, "contract", &vector.contract_version);
    text.push_str("features=");
    for feature in &vector.features {
        // A slate has forty thousand of them, so they are put together without a formatter, and shortly.
        push_hex(text, &bits_of(feature).to_be_bytes());
        text.push(letter_of(feature));
    }
    text.push('\n');
    let is_fresh = match (job.features_built_at, job.inputs_ingested_at) {
        (Some(built), Some(ingested)) => ingested <= built,
        _ => false,
    };
    // The mean without caps is what the gate compares: what no running system reads does not cap there.
    let quality = quality::of_read(contract(), vector, |_| false);
    line(text, "fresh", is_fresh);
    line(text, "good_enough", quality.score >= quality::threshold(job.run_mode));
}

/// Bits, not digits; every NaN is the same NaN, and -0 is 0.
fn bits_of(feature: &Feature) -> u64 {
    if feature.value.is_nan() { f64::NAN.to_bits() } else { (feature.value + 0.0).to_bits() }
}

/// Where a value comes from, small when it is a real one and large when it is a default. No hexadecimal digit.
fn letter_of(feature: &Feature) -> char {
    let small = match feature.source {
        FeatureSource::Facts => 'g',
        FeatureSource::Calculated => 'h',
        FeatureSource::Odds => 'i',
        FeatureSource::OpponentHistory => 'j',
        FeatureSource::Default => 'k',
        FeatureSource::Missing => 'l',
    };
    if feature.defaulted { small.to_ascii_uppercase() } else { small }
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name}={value}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;
    use proto::codec::sha256_hex;
    use proto::{GameStatus, InjuryStatus, RunMode};

    use super::*;
    use crate::gate::samples::{job, vector};
    use crate::lines::samples::{at, quote};

    fn pin(system: &str, sha: &str) -> ModelPin {
        ModelPin { system_id: system.parse().unwrap(), market: Market::points(), sha256: sha.to_owned() }
    }

    fn inputs_sha256(job: &Job, pins: &[ModelPin], policy_text: &str) -> String {
        Fingerprints::new(&job.markets, &job.wanted, pins, policy_text).of(job)
    }

    fn hash(job: &Job) -> String {
        inputs_sha256(job, &[pin("sys_a", "aa"), pin("sys_b", "bb")], "policy")
    }

    fn later(mut job: Job, by: SignedDuration) -> Job {
        for quote in &mut job.quotes {
            quote.snapshot_at = quote.snapshot_at.map(|t| t + by);
            quote.market_updated_at = quote.market_updated_at.map(|t| t + by);
        }
        job.as_of += by;
        job.event_newest_snapshot = job.event_newest_snapshot.map(|t| t + by);
        job
    }

    #[test]
    fn what_decides_nothing_changes_nothing() {
        let base = hash(&job());
        let mut turned = job();
        turned.quotes.reverse();
        let mut with_alternate = job();
        with_alternate
            .quotes
            .push(proto::Quote { is_main: false, ..quote("fanduel", "30.5", "300", "-400") });
        let mut other_market = job();
        other_market.quotes.push(proto::Quote {
            market: "rebounds".parse().unwrap(),
            ..quote("fanduel", "7.5", "-110", "-110")
        });
        let repeated = Job { quotes: [job().quotes, job().quotes].concat(), ..job() };
        for (what, same) in [
            ("a heartbeat", later(job(), SignedDuration::from_mins(30))),
            ("order", turned),
            ("alternates", with_alternate),
            ("another market", other_market),
            ("repetition", repeated),
            ("the hash itself", Job { inputs_sha256: "x".to_owned(), ..job() }),
            (
                "rebuilt with the same values",
                Job { features_built_at: Some(at("2026-01-23T16:00:00Z")), ..job() },
            ),
            ("a run mode that decides the same", Job { run_mode: RunMode::LastCall, ..job() }),
        ] {
            assert_eq!(hash(&same), base, "{what}");
        }
        let foreign_pin = [pin("sys_a", "aa"), pin("sys_b", "bb"), pin("sys_z", "zz")];
        assert_eq!(inputs_sha256(&job(), &foreign_pin, "policy"), base, "a model nobody wants");
    }

    #[test]
    fn what_decides_changes_it() {
        let base = hash(&job());
        let zero = |defaulted| Feature { value: 0.0, source: FeatureSource::Facts, defaulted };
        let low = vector(
            &contract()
                .features
                .iter()
                .take(12)
                .map(|s| (s.name.as_str(), Feature::default_of(1.0)))
                .collect::<Vec<_>>(),
        );
        let mut other_contract = job();
        other_contract.features.as_mut().unwrap().contract_version = "v1".to_owned();
        let without_provenance = Job {
            quotes: job().quotes.into_iter().map(|q| proto::Quote { event_id: None, ..q }).collect(),
            ..job()
        };
        let mut hashes =
            vec![base.clone(), inputs_sha256(&job(), &[pin("sys_a", "aa"), pin("sys_b", "cc")], "policy")];
        hashes.push(inputs_sha256(&job(), &[pin("sys_a", "aa"), pin("sys_b", "bb")], "other policy"));
        hashes.extend([
            hash(&Job { injury: InjuryStatus::Out, ..job() }),
            hash(&Job { game_status: GameStatus::Postponed, ..job() }),
            hash(&Job { tip_off: job().tip_off + SignedDuration::from_mins(5), ..job() }),
            hash(&Job { features: None, ..job() }),
            hash(&Job { features: Some(vector(&[("points_avg_last_5", zero(false))])), ..job() }),
            hash(&Job { features: Some(vector(&[("points_avg_last_5", zero(true))])), ..job() }),
            hash(&Job { features: Some(vector(&[("points_avg_last_5", Feature::missing())])), ..job() }),
            hash(&Job { inputs_ingested_at: Some(Timestamp::MAX), ..job() }),
            hash(&Job { player_resolved: false, ..job() }),
            hash(&Job { wanted: vec![(Market::points(), "sys_a".parse().unwrap())], ..job() }),
            hash(&Job { features: Some(low.clone()), run_mode: RunMode::Overnight, ..job() }),
            hash(&Job { features: Some(low), run_mode: RunMode::LastCall, ..job() }),
            hash(&without_provenance),
            hash(&other_contract),
        ]);
        let n = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), n, "each change has its own fingerprint");
    }

    #[test]
    fn the_text_of_a_sample_is_pinned() {
        let (job, pins) = (job(), [pin("sys_a", "aa")]);
        let shared = shared_text(&job.markets, &job.wanted, &pins, "policy");
        let own = Fingerprints::new(&job.markets, &job.wanted, &pins, "policy").own_text(&job);
        insta::assert_snapshot!(format!("{shared}{own}"));
        assert_eq!(inputs_sha256(&job, &pins, "policy"), sha256_hex(format!("{shared}{own}").as_bytes()));
    }

    proptest! {
        #[test]
        fn incident_18_a_heartbeat_is_no_change(minutes in 0i64..60) {
            prop_assert_eq!(hash(&later(job(), SignedDuration::from_mins(minutes))), hash(&job()));
        }

        #[test]
        fn any_change_of_a_quote_is_one(
            at in 0usize..3, half in 1i32..100, over in -400i32..=-100, under in -400i32..=-100, book in "[a-z]{1,8}",
        ) {
            let original = job();
            let mut changed = job();
            let quote = &mut changed.quotes[at];
            quote.line = proto::Line::from_half_points(half);
            quote.over = Some(over.to_string().parse().unwrap());
            quote.under = Some(under.to_string().parse().unwrap());
            quote.book = Some(book.into());
            let same = changed.quotes[at] == original.quotes[at];
            prop_assert_eq!(hash(&changed) == hash(&original), same);
        }
    }
}
