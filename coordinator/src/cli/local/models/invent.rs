//! Rows that nobody played: values within the ranges of the feature contract, the same each time.

use models::FeatureMatrix;
use proto::features::FeatureContract;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::cli::failure::Failure;

/// One value in so many is left missing, where the feature may be.
const MISSING_EVERY: u32 = 10;

/// So many rows of the named features.
pub(crate) fn invented(
    names: &[String],
    contract: &FeatureContract,
    rows: usize,
) -> Result<FeatureMatrix, Failure> {
    let mut random = StdRng::seed_from_u64(42);
    let specs: Vec<_> =
        names.iter().filter_map(|name| contract.features.iter().find(|spec| spec.name == *name)).collect();
    let mut matrix = FeatureMatrix::with_capacity(names.len(), rows);
    for _ in 0..rows {
        let row: Vec<f64> = specs
            .iter()
            .map(|spec| {
                let is_missing = !spec.required && random.random_ratio(1, MISSING_EVERY);
                let value = random.random_range(spec.min..=spec.max);
                if is_missing { f64::NAN } else { (value * 1_000.0).round() / 1_000.0 }
            })
            .collect();
        matrix.push_row(&row).map_err(Failure::failed)?;
    }
    Ok(matrix)
}
