//! ONNX Runtime as this process has it: looked for when a model first needs it, checked, loaded once.
//!
//! Loading a library runs code that nobody here wrote. What can be known before is asked before: a file that is cut off, or
//! made for another machine, is not loaded, nor is a version without the calls we make. The loading itself stands on a thread
//! of its own, its panics are caught and its time is bounded. Nothing is ever downloaded.
//!
//! A process has one ONNX Runtime: the binding keeps it in a global, so the setting is one, too.

use std::any::Any;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::ort::environment::Environment;
use ::ort::logging::LogLevel;
use thiserror::Error;

use super::places::Places;
use super::whole;

/// Longest time a library may take to load; one on a slow disk takes a second.
const LOAD_WITHIN: Duration = Duration::from_secs(30);

/// Least version: the calls that the binding is built with.
const LEAST_MINOR: u32 = ::ort::MINOR_VERSION;

/// A loaded ONNX Runtime.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    version: String,
    pub(super) environment: Environment,
}

impl Library {
    /// The file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version as it says it.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Why there is no ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// None is installed.
    #[error(
        "this needs ONNX Runtime 1.{LEAST_MINOR} or later, which is not there: `pip install --upgrade onnxruntime` in the active Python environment (1.19 and later bring the library), or put libonnxruntime.so beside tipoff, or name it in `[engines] onnxruntime`"
    )]
    NotFound,
    /// A place that somebody named holds none.
    #[error(
        "there is no ONNX Runtime at `{place}`, which [engines] onnxruntime or ORT_DYLIB_PATH names: correct the name"
    )]
    NotThere {
        /// The place.
        place: String,
    },
    /// Those that are there cannot be used.
    #[error(
        "ONNX Runtime at {reasons}: install 1.{LEAST_MINOR} or later with `pip install --upgrade onnxruntime`, or name another in `[engines] onnxruntime`"
    )]
    Unusable {
        /// Each with its reason.
        reasons: String,
    },
    /// One was loaded and does not work; a process cannot load a second.
    #[error("ONNX Runtime at {reason}; name another in `[engines] onnxruntime` and start again")]
    Stuck {
        /// The library and its reason.
        reason: String,
    },
}

/// What this process has tried so far. Not being found is not remembered: the next reload looks again.
enum State {
    Nothing,
    Loaded(Arc<Library>),
    Stuck(Unavailable),
}

static STATE: Mutex<State> = Mutex::new(State::Nothing);
static SETTING: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Names the library, or the folder that holds it, for this process. It counts until one is loaded.
pub fn use_library(place: Option<PathBuf>) {
    *SETTING.lock().unwrap_or_else(PoisonError::into_inner) = place;
}

/// The library of this process, loaded now if it was not yet.
pub fn library() -> Result<Arc<Library>, Unavailable> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    match &*state {
        State::Loaded(library) => return Ok(Arc::clone(library)),
        State::Stuck(reason) => return Err(reason.clone()),
        State::Nothing => {}
    }
    let setting = SETTING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let tried = first_that_loads(&Places::of_process(setting));
    match &tried {
        Ok(library) => *state = State::Loaded(Arc::clone(library)),
        Err(stuck @ Unavailable::Stuck { .. }) => *state = State::Stuck(stuck.clone()),
        Err(_) => {}
    }
    tried
}

fn first_that_loads(places: &Places) -> Result<Arc<Library>, Unavailable> {
    let found =
        places.libraries().map_err(|place| Unavailable::NotThere { place: place.display().to_string() })?;
    let mut reasons = Vec::new();
    for path in &found {
        match load(path) {
            Ok(library) => return Ok(Arc::new(library)),
            Err(Failed::Refused(why)) => reasons.push(format!("`{}`: {why}", path.display())),
            Err(Failed::Stuck(why)) => {
                return Err(Unavailable::Stuck { reason: format!("`{}`: {why}", path.display()) });
            }
        }
    }
    match reasons.is_empty() {
        true => Err(Unavailable::NotFound),
        false => Err(Unavailable::Unusable { reasons: reasons.join("; ") }),
    }
}

/// A library that was not taken.
#[derive(Debug)]
enum Failed {
    /// It was not kept, another may be tried.
    Refused(String),
    /// It may still be in the process, and the binding holds on to it.
    Stuck(String),
}

fn load(path: &Path) -> Result<Library, Failed> {
    let refused = |why: String| Failed::Refused(why);
    // The binding would look for a relative name beside the program.
    let path = path.canonicalize().map_err(|error| refused(format!("it cannot be read ({error})")))?;
    whole::check(&path).map_err(refused)?;
    let place = path.clone();
    let opened = within(LOAD_WITHIN, move || catch_unwind(|| open(&place)))
        .map_err(|why| Failed::Stuck(format!("it {why}")))?;
    let (version, environment) = match opened {
        Ok(opened) => opened?,
        Err(panic) => return Err(Failed::Stuck(format!("it does not work ({})", words(panic.as_ref())))),
    };
    Ok(Library { path, version, environment })
}

/// The loading itself: the binding opens the file, asks for its version, refuses one that is too old.
fn open(path: &Path) -> Result<(String, Environment), Failed> {
    let builder = ::ort::init_from(path).map_err(|error| match error {
        ::ort::LoadDynamicError::BadVersion { version_str, .. } => {
            Failed::Refused(format!("its version {version_str} is too old"))
        }
        error => Failed::Refused(format!("it is no ONNX Runtime ({error})")),
    })?;
    // From here on the binding keeps the library, whatever it turns out to be.
    let stuck = |error: ::ort::Error| Failed::Stuck(format!("it does not start ({error})"));
    let environment = builder.with_name("tipoff").with_telemetry(false).build().map_err(stuck)?;
    // CatBoost's exports declare another shape than they give, which would be a warning a call.
    environment.set_log_level(LogLevel::Fatal);
    Ok((version_of(path, ::ort::info()), environment))
}

/// The version for people: the one in the file's name, which every distribution keeps, else what its builder wrote into it,
/// such as `ORT Build Info: git-branch=HEAD, git-commit-id=a83fc4d58c, build type=Release`.
fn version_of(path: &Path, info: &str) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let numbers: Vec<&str> = name.split('.').filter(|part| part.parse::<u32>().is_ok()).collect();
    if numbers.len() > 1 {
        return numbers.join(".");
    }
    let commit = info.split_once("git-commit-id=").and_then(|(_, rest)| rest.split(',').next());
    commit.map_or_else(|| info.to_owned(), |commit| format!("of commit {commit}"))
}

/// Runs work on a thread of its own, and waits for it no longer than that.
fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = sync_channel(1);
    let thread = std::thread::Builder::new().name("onnxruntime-load".to_owned()).spawn(move || {
        // Nobody listens any more once the wait is over.
        let _ = tell.send(work());
    });
    thread.map_err(|error| format!("could not be given a thread ({error})"))?;
    told.recv_timeout(patience).map_err(|error| match error {
        RecvTimeoutError::Timeout => format!("did not load within {} s", patience.as_secs()),
        RecvTimeoutError::Disconnected => "ended its thread".to_owned(),
    })
}

/// What a panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]
    use super::*;

    #[test]
    fn work_that_does_not_come_back_is_left_alone() {
        assert_eq!(within(LOAD_WITHIN, || 7), Ok(7));
        let (hold, held) = sync_channel::<()>(0);
        let waited = within(Duration::ZERO, move || held.recv().is_ok());
        assert_eq!(waited, Err("did not load within 0 s".to_owned()));
        drop(hold);
    }

    #[test]
    fn the_version_is_in_the_name_or_in_what_the_builder_wrote() {
        let info = "ORT Build Info: git-branch=HEAD, git-commit-id=a83fc4d58c, build type=Release";
        for (name, info, expected) in [
            ("/lib/libonnxruntime.so.1.23.2", info, "1.23.2"),
            ("/lib/libonnxruntime.1.23.2.dylib", info, "1.23.2"),
            ("/lib/libonnxruntime.so.1", info, "of commit a83fc4d58c"),
            ("/lib/libonnxruntime.so", "somebody's own build", "somebody's own build"),
        ] {
            assert_eq!(version_of(Path::new(name), info), expected);
        }
    }

    #[test]
    fn what_is_no_library_is_passed_over_and_named_places_are_not_made_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so.1.23.2");
        std::fs::write(&path, "not a library").unwrap();
        let nothing = first_that_loads(&Places::default()).unwrap_err();
        assert_eq!(nothing, Unavailable::NotFound);
        assert!(nothing.to_string().contains("pip install --upgrade onnxruntime"), "{nothing}");
        let beside = Places { beside: Some(folder.path().to_owned()), ..Places::default() };
        let unusable = first_that_loads(&beside).unwrap_err().to_string();
        assert!(unusable.contains("libonnxruntime.so.1.23.2`: it is not a shared library"), "{unusable}");
        let named = Places { setting: Some(folder.path().join("elsewhere.so")), ..beside };
        let there = first_that_loads(&named).unwrap_err().to_string();
        assert!(
            there.contains("elsewhere.so`, which [engines] onnxruntime or ORT_DYLIB_PATH names"),
            "{there}"
        );
    }
}
