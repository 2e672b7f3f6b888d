//! A wish lasts as long as somebody holds it, stands alone, and ends for both sides.

use rlds::request::{PostError, REQUEST, RecordRequest, Wish, end, look};
use std::fs;
use std::path::Path;

fn request(task: &str) -> RecordRequest {
    RecordRequest { task: Some(task.to_owned()), max_steps: Some(7), ..RecordRequest::default() }
}

fn standing(dir: &Path) -> Option<RecordRequest> {
    match look(dir).unwrap() {
        Wish::Standing { request, .. } => Some(request),
        Wish::None => None,
        Wish::Unreadable(words) => panic!("{words}"),
    }
}

#[test]
fn posted_wish_stands_until_it_is_dropped_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(standing(dir.path()), None);
    let posted = request("park").post(dir.path()).unwrap();
    assert_eq!(standing(dir.path()), Some(request("park")));
    assert_eq!(standing(dir.path()), Some(request("park")), "looking takes nothing");
    assert!(!posted.has_ended());
    drop(posted);
    assert_eq!(standing(dir.path()), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn second_wish_is_refused_while_the_first_stands() {
    let dir = tempfile::tempdir().unwrap();
    let first = request("one").post(dir.path()).unwrap();
    assert!(matches!(request("two").post(dir.path()), Err(PostError::Taken)));
    assert_eq!(standing(dir.path()), Some(request("one")));
    drop(first);
    let _second = request("two").post(dir.path()).unwrap();
    assert_eq!(standing(dir.path()), Some(request("two")));
}

#[test]
fn wish_of_somebody_who_was_killed_is_none_and_does_not_stand_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let left = serde_json::to_vec(&request("left")).unwrap();
    fs::write(dir.path().join(REQUEST), &left).unwrap();
    let posted = request("new").post(dir.path()).unwrap();
    assert_eq!(standing(dir.path()), Some(request("new")));
    drop(posted);
    fs::write(dir.path().join(REQUEST), &left).unwrap();
    assert_eq!(standing(dir.path()), None);
    assert!(!dir.path().join(REQUEST).exists(), "it is taken away");
}

#[test]
fn recorder_that_ends_a_wish_is_seen_by_who_posted_it() {
    let dir = tempfile::tempdir().unwrap();
    let posted = request("park").post(dir.path()).unwrap();
    end(dir.path()).unwrap();
    assert!(posted.has_ended());
    let next = request("next").post(dir.path()).unwrap();
    assert!(posted.has_ended(), "another wish in its place is another wish");
    drop(posted);
    assert_eq!(standing(dir.path()), Some(request("next")), "nobody takes another's away");
    drop(next);
    end(dir.path()).unwrap();
}

#[test]
fn two_wishes_in_the_same_place_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let id = || match look(dir.path()).unwrap() {
        Wish::Standing { id, .. } => id,
        other => panic!("{other:?}"),
    };
    let first = request("same").post(dir.path()).unwrap();
    let of_first = id();
    drop(first);
    let _second = request("same").post(dir.path()).unwrap();
    assert_ne!(of_first, id());
}

#[test]
fn wish_that_makes_no_sense_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "{", r#"{"tsk": "park"}"#, r#"{"xr_mode": "walker"}"#] {
        let path = dir.path().join(REQUEST);
        fs::write(&path, text).unwrap();
        let holder = fs::File::open(&path).unwrap();
        holder.try_lock().unwrap();
        let found = look(dir.path()).unwrap();
        assert!(matches!(&found, Wish::Unreadable(words) if words.contains(REQUEST)), "{found:?}");
    }
}
