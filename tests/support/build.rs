//! Tells the tests at compile time whether Go is at hand, so that those that need it are counted as ignored where it is not.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_go)");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-changed=tests/support/build.rs");
    let found = std::process::Command::new("go").arg("version").output().is_ok_and(|output| output.status.success());
    if found {
        println!("cargo::rustc-cfg=has_go");
    }
}
