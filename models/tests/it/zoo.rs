//! The models in the binary load, and answer as they did where they were trained.

use models::Registry;
use proto::Market;

#[test]
fn every_model_of_the_zoo_loads() {
    let zoo = Registry::zoo();
    assert_eq!(zoo.refused(), []);
    assert_eq!(zoo.disabled(), []);
    let names: Vec<_> = zoo.models().iter().map(|model| model.pin.system_id.to_string()).collect();
    assert_eq!(names, ["moving_average_v1"]);
    assert!(zoo.champion(&Market::points()).is_none());
}
