//! Our encoder against prost's decoder.

use proptest::prelude::*;
use prost::Message;
use rlds_formats::example::{Example, ExampleEncoder, Kind};

#[test]
fn example_of_every_kind_is_what_prost_reads() {
    let mut encoder = ExampleEncoder::new();
    encoder.bytes("text", b"left");
    encoder.floats("floats", &[0.5, -1.0, f32::MIN_POSITIVE]);
    encoder.floats("none", &[]);
    encoder.int("negative", -7);
    encoder.int("zero", 0);
    let example = Example::decode(encoder.to_vec().as_slice()).expect("an Example");
    assert_eq!(example.bytes("text"), Some(&b"left"[..]));
    assert_eq!(example.floats("floats"), [0.5, -1.0, f32::MIN_POSITIVE]);
    assert!(matches!(example.kind("none"), Some(Kind::Floats(list)) if list.value.is_empty()));
    assert_eq!(example.ints("negative"), [-7]);
    assert_eq!(example.ints("zero"), [0]);
    assert_eq!(example.bytes("floats"), None);
    assert_eq!(example.kind("unknown"), None);
    encoder.clear();
    assert_eq!(
        Example::decode(encoder.to_vec().as_slice())
            .expect("empty")
            .features
            .map(|all| all.feature.len()),
        Some(0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn encoder_and_prost_agree(
        text in prop::collection::vec(any::<u8>(), 0..400),
        floats in prop::collection::vec(-1e6_f32..1e6, 0..300),
        int in any::<i64>(),
        name in "[a-z]{1,200}",
    ) {
        let mut encoder = ExampleEncoder::new();
        encoder.bytes(&name, &text);
        encoder.floats("F", &floats);
        encoder.int("I", int);
        let bytes = encoder.to_vec();
        let example = Example::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(example.bytes(&name), Some(text.as_slice()));
        prop_assert_eq!(example.floats("F"), floats.as_slice());
        prop_assert_eq!(example.ints("I"), &[int]);
        prop_assert_eq!(example.encode_to_vec().len(), bytes.len());
    }
}
