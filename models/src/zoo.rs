//! The models in the binary. A fresh clone predicts without fetching anything.
//!
//! Cards and files are made by `models/training/`; each entry below is one card and, for engines that need one, its file.
//! A test holds this list against the folder.

/// A card and its file as they stand in `models/zoo`.
pub(crate) struct Entry {
    /// File name of the card.
    pub(crate) name: &'static str,
    /// The card.
    pub(crate) card: &'static str,
    /// Name and bytes of the model file.
    pub(crate) file: Option<(&'static str, &'static [u8])>,
}

macro_rules! entry {
    ($card:literal) => {
        Entry { name: $card, card: include_str!(concat!("../zoo/", $card)), file: None }
    };
    ($card:literal, $file:literal) => {
        Entry {
            name: $card,
            card: include_str!(concat!("../zoo/", $card)),
            file: Some(($file, include_bytes!(concat!("../zoo/", $file)))),
        }
    };
}

pub(crate) const ENTRIES: &[Entry] = &[
    entry!("catboost_v2.points.toml", "catboost_v2.points.onnx.gz"),
    entry!("catboost_v2_56d.points.toml", "catboost_v2_56d.points.onnx.gz"),
    entry!("catboost_v2_lowveg.points.toml", "catboost_v2_lowveg.points.onnx.gz"),
    entry!("catboost_v2_noveg.points.toml", "catboost_v2_noveg.points.onnx.gz"),
    entry!("catboost_v2_q43.points.toml", "catboost_v2_q43.points.onnx.gz"),
    entry!("catboost_v2_q50.points.toml", "catboost_v2_q50.points.onnx.gz"),
    entry!("catboost_v2_q57.points.toml", "catboost_v2_q57.points.onnx.gz"),
    entry!("catboost_v2_season.points.toml", "catboost_v2_season.points.onnx.gz"),
    entry!("lgbm_v2.points.toml", "lgbm_v2.points.onnx.gz"),
    entry!("lgbm_v2_noveg.points.toml", "lgbm_v2_noveg.points.onnx.gz"),
    entry!("moving_average_v1.points.toml"),
    entry!("network_v2_noveg.points.toml", "network_v2_noveg.points.safetensors"),
    entry!("xgb_v2_noveg.points.toml", "xgb_v2_noveg.points.onnx.gz"),
    entry!("catboost_v2.rebounds.toml", "catboost_v2.rebounds.onnx.gz"),
    entry!("catboost_v2_lowveg.rebounds.toml", "catboost_v2_lowveg.rebounds.onnx.gz"),
    entry!("moving_average_v1.rebounds.toml"),
    entry!("catboost_v2.assists.toml", "catboost_v2.assists.onnx.gz"),
    entry!("catboost_v2_lowveg.assists.toml", "catboost_v2_lowveg.assists.onnx.gz"),
    entry!("moving_average_v1.assists.toml"),
    entry!("catboost_v2.threes.toml", "catboost_v2.threes.onnx.gz"),
    entry!("catboost_v2_lowveg.threes.toml", "catboost_v2_lowveg.threes.onnx.gz"),
    entry!("moving_average_v1.threes.toml"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ENTRIES;

    #[test]
    fn the_list_and_the_folder_name_the_same_files() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/zoo");
        let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the zoo is part of the repository")
            .map(|entry| entry.expect("a readable folder").file_name().into_string().expect("plain names"))
            .collect();
        let listed: BTreeSet<String> = ENTRIES
            .iter()
            .flat_map(|entry| [Some(entry.name), entry.file.map(|(name, _)| name)])
            .flatten()
            .map(str::to_owned)
            .collect();
        assert_eq!(on_disk, listed);
    }
}
