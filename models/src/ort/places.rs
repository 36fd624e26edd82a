//! Where ONNX Runtime may be on a machine, and in which order one looks.
//!
//! Who names a place means it: nothing else is tried then, or an upgrade that failed would pass for one that worked.

use std::path::{Path, PathBuf};

/// What is known of the machine. Tests make their own.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The setting: a library, or a folder that holds one or is a Python environment.
    pub setting: Option<PathBuf>,
    /// `ORT_DYLIB_PATH`: the same, from the environment.
    pub variable: Option<PathBuf>,
    /// The folder of this program.
    pub beside: Option<PathBuf>,
    /// Python environments, the active one first.
    pub environments: Vec<PathBuf>,
    /// Folders of the system's own libraries.
    pub system: Vec<PathBuf>,
}

impl Places {
    /// Those of this process, with the setting given.
    pub fn of_process(setting: Option<PathBuf>) -> Places {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let program = std::env::current_exe().ok().and_then(|program| program.canonicalize().ok());
        let own = variable("HOME").map(|home| home.join(".local"));
        let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable);
        let common = ["/usr/local", "/usr"].map(PathBuf::from);
        let machine = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        Places {
            setting,
            variable: variable("ORT_DYLIB_PATH"),
            beside: program.and_then(|program| program.parent().map(Path::to_owned)),
            environments: active.chain(own).chain(common).collect(),
            system: ["/usr/local/lib", &machine, "/usr/lib64", "/usr/lib"].map(PathBuf::from).to_vec(),
        }
    }

    /// The libraries that are there, the first to try first. A place that was named and holds none is an error with its name.
    pub(super) fn libraries(&self) -> Result<Vec<PathBuf>, PathBuf> {
        if let Some(named) = self.setting.as_ref().or(self.variable.as_ref()) {
            let found = if named.is_dir() { in_folder(named) } else { vec![named.clone()] };
            let found = if found.is_empty() { in_environment(named) } else { found };
            return if found.iter().any(|path| path.exists()) { Ok(found) } else { Err(named.clone()) };
        }
        let beside = self.beside.iter().flat_map(|folder| in_folder(folder));
        let environments = self.environments.iter().flat_map(|folder| in_environment(folder));
        Ok(beside
            .chain(environments)
            .chain(self.system.iter().flat_map(|folder| in_folder(folder)))
            .collect())
    }
}

/// What the Python package brings: `lib/python3.N/site-packages/onnxruntime/capi/libonnxruntime.so.VERSION`.
fn in_environment(root: &Path) -> Vec<PathBuf> {
    let pythons = ["lib", "lib64"]
        .into_iter()
        .flat_map(|lib| names(&root.join(lib), |name| name.starts_with("python3")));
    let packages =
        pythons.flat_map(|python| ["site-packages", "dist-packages"].map(|kind| python.join(kind)));
    // A folder filled by `pip install --target` is itself a list of packages.
    let mut found: Vec<PathBuf> = packages
        .chain([root.to_owned()])
        .flat_map(|packages| in_folder(&packages.join("onnxruntime").join("capi")))
        .collect();
    // lib64 is a link to lib in most environments.
    found.dedup_by_key(|path| path.canonicalize().ok());
    found
}

/// The libraries of one folder, the newest version first.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let mut found = names(folder, is_library);
    found.sort_by_key(|path| std::cmp::Reverse(version(path)));
    found
}

fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// `libonnxruntime.so`, `libonnxruntime.so.1.23.2`, `libonnxruntime.1.23.2.dylib`; not the helpers beside it.
fn is_library(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("libonnxruntime") else { return false };
    rest == ".so" || rest.starts_with(".so.") || (rest.starts_with('.') && rest.ends_with(".dylib"))
}

/// The numbers of a file's name.
fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]
    use super::*;

    /// A folder with empty files.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        root
    }

    const PACKAGE: &str = "venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.23.2";

    #[test]
    fn a_named_place_is_the_only_one_and_the_others_have_their_order() {
        let root = tree(&[
            "bin/libonnxruntime.so",
            "bin/libonnxruntime_providers_shared.so",
            "bin/tipoff",
            PACKAGE,
            "sys/libonnxruntime.so.1.9.1",
            "sys/libonnxruntime.so.1.21.0",
            "mine/libonnxruntime.so.1.20.0",
            "target/onnxruntime/capi/libonnxruntime.so.1.31.1",
        ]);
        let at = |path: &str| root.path().join(path);
        let places = Places {
            beside: Some(at("bin")),
            environments: vec![at("venv"), at("nowhere")],
            system: vec![at("sys")],
            ..Places::default()
        };
        let all =
            ["bin/libonnxruntime.so", PACKAGE, "sys/libonnxruntime.so.1.21.0", "sys/libonnxruntime.so.1.9.1"];
        assert_eq!(places.libraries().unwrap(), all.map(at));
        let named = |setting: Option<&str>, variable: Option<&str>| {
            let (setting, variable) = (setting.map(at), variable.map(at));
            Places { setting, variable, ..places.clone() }.libraries()
        };
        assert_eq!(named(Some("mine"), Some("venv")).unwrap(), [at("mine/libonnxruntime.so.1.20.0")]);
        assert_eq!(named(None, Some("venv")).unwrap(), [at(PACKAGE)]);
        assert_eq!(named(None, Some(PACKAGE)).unwrap(), [at(PACKAGE)]);
        assert_eq!(
            named(Some("target"), None).unwrap(),
            [at("target/onnxruntime/capi/libonnxruntime.so.1.31.1")]
        );
        // A wrong name is not made good by what stands elsewhere.
        assert_eq!(named(Some("nowhere"), None).unwrap_err(), at("nowhere"));
        assert_eq!(named(None, Some("sys/libonnxruntime.so.2")).unwrap_err(), at("sys/libonnxruntime.so.2"));
        assert_eq!(Places::default().libraries().unwrap(), [""; 0].map(PathBuf::from));
    }
}
