//! A model file and a matrix of features in, answers or microseconds out: what `bench/parity` and `bench/inference` call.
//!
//! ```text
//! trees answer MODEL ROWS WIDTH OUT [batch=N] [threads=N] [how=plain|portable|avx2|avx512]
//! trees time   MODEL ROWS WIDTH     [batch=N] [seconds=S] [how=…]
//! trees about  MODEL WIDTH
//! trees sets
//! ```
//!
//! ROWS and OUT are little-endian `f64`s, row after row; OUT has as many numbers a row as the model has heads. `sets` names the ways
//! this processor can run trees, the fastest first. `time` runs
//! batches cut from ROWS one after the other, on one thread, and prints the median and the least time of a batch, per row.
#![allow(clippy::print_stdout, reason = "a command line talks on stdout")]

use std::error::Error;
use std::time::{Duration, Instant};

use models::native::{How, Isa, NativeEngine, Options};
use models::{Engine, FeatureMatrix};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, words): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|word| word.contains('='));
    let option = |name: &str| options.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str, default: usize| option(name).map_or(Ok(default), str::parse);
    let how = how(option("how"))?;
    match words.as_slice() {
        ["answer", model, rows, width, out] => {
            let engine = open(model, width, how)?;
            let matrix = read(rows, engine.width())?;
            let answers = answer(&engine, &matrix, number("batch", matrix.rows())?, number("threads", 1)?)?;
            Ok(std::fs::write(out, answers.iter().flat_map(|answer| answer.to_le_bytes()).collect::<Vec<u8>>())?)
        }
        ["time", model, rows, width] => {
            let engine = open(model, width, how)?;
            let matrix = read(rows, engine.width())?;
            let batch = number("batch", matrix.rows())?;
            let seconds = option("seconds").map_or(Ok(1.0), str::parse)?;
            time(&engine, &matrix, batch, Duration::from_secs_f64(seconds))
        }
        ["sets"] => {
            Isa::available().for_each(|isa| println!("{}", isa.name()));
            println!("plain");
            Ok(())
        }
        ["about", model, width] => {
            println!("{:?}", open(model, width, how)?.about());
            Ok(())
        }
        _ => Err("usage: trees answer MODEL ROWS WIDTH OUT | trees time MODEL ROWS WIDTH | trees about MODEL WIDTH".into()),
    }
}

fn how(name: Option<&str>) -> Outcome<How> {
    match name {
        None => Ok(How::Blocks(Isa::best())),
        Some("plain") => Ok(How::Plain),
        Some(name) => {
            let isa = Isa::named(name).ok_or_else(|| format!("this processor has no `{name}`"))?;
            Ok(How::Blocks(isa))
        }
    }
}

fn open(model: &str, width: &str, how: How) -> Outcome<NativeEngine> {
    let bytes = std::fs::read(model).map_err(|error| format!("read {model}: {error}"))?;
    let options = Options { width: Some(width.parse()?), how, ..Options::default() };
    Ok(NativeEngine::open(&bytes, &options)?)
}

fn read(path: &str, width: usize) -> Outcome<FeatureMatrix> {
    let bytes = std::fs::read(path).map_err(|error| format!("read {path}: {error}"))?;
    let (chunks, rest) = bytes.as_chunks::<8>();
    let values: Vec<f64> = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect();
    if values.is_empty() || !rest.is_empty() || !values.len().is_multiple_of(width) {
        return Err(format!("{path} does not hold rows of {width} numbers").into());
    }
    Ok(matrix(&values, width)?)
}

fn matrix(values: &[f64], width: usize) -> Result<FeatureMatrix, models::RowWidthError> {
    let mut matrix = FeatureMatrix::with_capacity(width, values.len() / width);
    values.chunks_exact(width).try_for_each(|row| matrix.push_row(row))?;
    Ok(matrix)
}

/// The rows of a matrix in batches of `batch`; the last one is shorter.
fn batches(all: &FeatureMatrix, batch: usize) -> Result<Vec<FeatureMatrix>, models::RowWidthError> {
    (0..all.rows())
        .step_by(batch.max(1))
        .map(|from| {
            let to = (from + batch).min(all.rows());
            let mut part = FeatureMatrix::with_capacity(all.width(), to - from);
            (from..to).try_for_each(|row| part.push_row(all.row(row)))?;
            Ok(part)
        })
        .collect()
}

fn answer(engine: &NativeEngine, all: &FeatureMatrix, batch: usize, threads: usize) -> Outcome<Vec<f64>> {
    let heads = engine.about().heads;
    let parts = batches(all, batch)?;
    let mut answers: Vec<Vec<f64>> = parts.iter().map(|part| vec![f64::NAN; part.rows() * heads]).collect();
    let share = parts.len().div_ceil(threads.max(1));
    std::thread::scope(|scope| {
        let workers: Vec<_> = parts
            .chunks(share)
            .zip(answers.chunks_mut(share))
            .map(|(parts, answers)| {
                scope.spawn(move || {
                    parts.iter().zip(answers).try_for_each(|(part, out)| engine.predict(part, out))
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| "a thread panicked")?.map_err(Into::into))
    })
    .map_err(|error: Box<dyn Error + Send + Sync>| error)?;
    Ok(answers.concat())
}

fn time(engine: &NativeEngine, all: &FeatureMatrix, batch: usize, least: Duration) -> Outcome<()> {
    let mut parts = batches(all, batch)?;
    parts.retain(|part| part.rows() == batch);
    let mut out = vec![0.0; batch * engine.about().heads];
    let mut times = Vec::new();
    let began = Instant::now();
    // The first round warms up what a worker that predicts all night has warm.
    parts.iter().try_for_each(|part| engine.predict(part, &mut out))?;
    while began.elapsed() < least || times.len() < 5 {
        for part in &parts {
            let start = Instant::now();
            engine.predict(part, &mut out)?;
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    let per_row =
        |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6 / batch as f64);
    println!(
        "{{\"us_per_row_median\":{:.4},\"us_per_row_min\":{:.4},\"batches\":{}}}",
        per_row(times.get(times.len() / 2)),
        per_row(times.first()),
        times.len()
    );
    Ok(())
}
