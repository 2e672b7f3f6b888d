//! The parameter file: what it refuses, and what names it.

use hil::plant::params::PARAMETERS;
use hil::plant::{ParamsError, PlantParams};

const DONKEY_1_10_JSON: &str = include_str!("../../params/donkey-1-10.json");

fn edited(from: &str, to: &str) -> Result<PlantParams, ParamsError> {
    assert!(DONKEY_1_10_JSON.contains(from), "{from}");
    PlantParams::from_json(&DONKEY_1_10_JSON.replacen(from, to, 1), "car.json")
}

fn refusal(from: &str, to: &str) -> String {
    edited(from, to).expect_err("must be refused").to_string()
}

#[test]
fn embedded_file_is_the_car_that_it_documents() {
    let params = PlantParams::donkey_1_10();
    assert_eq!(params.chassis.mass_kg, 3.74);
    assert!((params.wheelbase_m() - 0.3302).abs() < 1e-9);
    assert_eq!(params.values().len(), PARAMETERS.len());
}

#[test]
fn unknown_key_is_refused_with_line_and_nearest_name() {
    let error = refusal("\"mass_kg\"", "\"mas_kg\"");
    assert_eq!(error, "car.json, line 3: unknown key `mas_kg`; did you mean `mass_kg`?");
    let error = refusal("\"tyre\"", "\"tire\"");
    assert!(error.contains("unknown key `tire`; did you mean `tyre`?"), "{error}");
    let error = refusal("\"value\": 3.74", "\"valu\": 3.74");
    assert!(error.contains("unknown field `valu`") && error.contains("line 3"), "{error}");
}

#[test]
fn missing_doubled_and_unsourced_keys_are_refused() {
    let text = DONKEY_1_10_JSON;
    let line =
        text.lines().find(|line| line.contains("\"yaw_inertia_kg_m2\"")).expect("stands there");
    let error = refusal(line, "");
    assert!(error.contains("`chassis.yaw_inertia_kg_m2` is missing"), "{error}");
    let error = refusal(line, &format!("{line}\n{line}"));
    assert!(error.contains("`yaw_inertia_kg_m2` stands there twice"), "{error}");
    let error = refusal("\"F1TENTH gym, parameter I\"", "\" \"");
    assert!(error.contains("`chassis.yaw_inertia_kg_m2` has an empty `why`"), "{error}");
}

#[test]
fn every_parameter_is_held_to_its_range() {
    for parameter in PARAMETERS {
        let group = DONKEY_1_10_JSON.find(&format!("\"{}\": {{", parameter.group)).expect("group");
        let key = format!("\"{}\": {{ \"value\": ", parameter.key);
        let start = group + DONKEY_1_10_JSON[group..].find(&key).expect("key") + key.len();
        let end = start + DONKEY_1_10_JSON[start..].find(',').expect("comma");
        for outside in [parameter.lowest - 0.001, parameter.highest + 0.001] {
            let (head, tail) = (&DONKEY_1_10_JSON[..start], &DONKEY_1_10_JSON[end..]);
            let text = format!("{head}{outside}{tail}");
            let error = PlantParams::from_json(&text, "car.json").expect_err("out of range");
            let expected = format!("`{}.{}` is", parameter.group, parameter.key);
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let error = refusal("\"value\": -0.4189", "\"value\": 0.4189");
    assert!(error.contains("opposite signs"), "{error}");
    let low = "\"pulse_max_us\": { \"value\": 2000.0";
    let high = "\"pulse_neutral_us\": { \"value\": 1500.0";
    let text = DONKEY_1_10_JSON.replacen(low, "\"pulse_max_us\": { \"value\": 1600.0", 1).replacen(
        high,
        "\"pulse_neutral_us\": { \"value\": 1650.0",
        1,
    );
    let error = PlantParams::from_json(&text, "car.json").expect_err("refused").to_string();
    assert!(error.contains("servo: pulses 1000, 1650, 1600"), "{error}");
}

#[test]
fn a_car_too_stiff_for_the_step_is_refused() {
    let stiff = DONKEY_1_10_JSON
        .replace("\"value\": 4.718", "\"value\": 30.0")
        .replace("\"value\": 5.4562", "\"value\": 30.0");
    let error = PlantParams::from_json(&stiff, "car.json").expect_err("unstable").to_string();
    assert!(error.contains("too stiff"), "{error}");
}

#[test]
fn hash_follows_values_and_not_their_reasons() {
    let hash = PlantParams::donkey_1_10().hash();
    let reworded = edited("F1TENTH gym, parameter I", "another wording").expect("is the same car");
    assert_eq!(reworded.hash(), hash);
    let heavier = edited("\"value\": 3.74", "\"value\": 3.75").expect("is another car");
    assert_ne!(heavier.hash(), hash);
}

#[test]
fn missing_file_is_named() {
    let path = std::path::Path::new("no/such/car.json");
    let error = PlantParams::from_file(path).expect_err("is not there").to_string();
    assert!(error.starts_with("no/such/car.json: cannot be read:"), "{error}");
}
