//! How the proof is linked: alone, and without what is not reached.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    // Static, at fixed addresses: it is never run, and nothing then stands between a call and its name.
    let mut arguments = vec!["--gc-sections", "--no-undefined", "-static", "-no-pie"];
    if target.ends_with("-gnu") {
        println!("cargo::rerun-if-changed=libc-four.x");
        arguments.push("libc-four.x");
    }
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
