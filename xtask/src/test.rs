//! `cargo xtask test`: provides what the tests need, then runs them. `--fast` leaves out those with an API server.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::step::{Failed, cargo, root, run};

/// The test binary that needs an API server, and its package.
const CLUSTER: (&str, &str) = ("echion", "cluster");

/// Programs of system packages, which are not in the `PATH` of every user.
const SYSTEM: &str = "/usr/local/sbin:/usr/sbin:/sbin";

pub(crate) fn test(fast: bool) -> Result<(), Failed> {
    let path = path();
    nats_server(&path)?;
    let common = ["test", "--locked", "--no-fail-fast"];
    if !fast {
        let assets = api_server()?;
        let all = [common.as_slice(), &["--workspace"]].concat();
        return run(cargo(&all).env("PATH", &path).env("KUBEBUILDER_ASSETS", assets));
    }
    let names = fast_tests()?;
    // The program's own tests mostly wait, so they run next to the others.
    let (program, _) = CLUSTER;
    let own = [common.as_slice(), &["--package", program, "--bins", "--test", "it"]].concat();
    let mut others =
        [common.as_slice(), &["--workspace", "--exclude", program, "--lib", "--bins", "--examples"]].concat();
    others.extend(names.iter().flat_map(|name| ["--test", name]));
    let documentation = [common.as_slice(), &["--workspace", "--doc"]].concat();
    let waiting = cargo(&own).env("PATH", &path).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let waiting = waiting.map_err(|error| Failed(format!("cannot run cargo: {error}")))?;
    let results = [run(cargo(&others).env("PATH", &path)), run(cargo(&documentation).env("PATH", &path))];
    let own = waiting
        .wait_with_output()
        .map_err(|error| Failed(format!("the tests of {program} cannot be read: {error}")))?;
    crate::print(&String::from_utf8_lossy(&own.stdout));
    let own = if own.status.success() { Ok(()) } else { Err(Failed(format!("tests of {program} failed"))) };
    // All tests run, also when some fail.
    results.into_iter().chain([own]).collect()
}

/// `PATH` with the folders of system programs.
fn path() -> OsString {
    let mut path = variable("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push(SYSTEM);
    path
}

#[expect(clippy::disallowed_methods, reason = "a program of the workspace, not a part of the product")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn is_in(path: &OsString, program: &str) -> bool {
    env::split_paths(path).any(|folder| folder.join(program).is_file())
}

/// Installs `nats-server` with apt where that is allowed.
fn nats_server(path: &OsString) -> Result<(), Failed> {
    if is_in(path, "nats-server") {
        return Ok(());
    }
    let hint = "nats-server is missing, which the tests of the `nats` service need";
    if !is_in(path, "apt-get") {
        return Err(Failed(format!("{hint}: install it so that it is in `PATH`")));
    }
    let Some(privileged) = privilege(path) else {
        return Err(Failed(format!(
            "{hint}: run `sudo apt-get update && sudo apt-get install -y nats-server`, then `cargo xtask test` again"
        )));
    };
    crate::print("installing nats-server");
    for arguments in [["update", "-q"].as_slice(), &["install", "-qy", "nats-server"]] {
        let (program, first) = privileged.split_first().unwrap_or((&"apt-get", &[]));
        run(Command::new(program)
            .args(first)
            .args(arguments)
            .env("PATH", path)
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}

/// How `apt-get` is called with the right to install: as root, or with a `sudo` that asks for no password.
fn privilege(path: &OsString) -> Option<Vec<&'static str>> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(vec!["apt-get"]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).env("PATH", path).stderr(Stdio::null()).status();
    sudo.is_ok_and(|status| status.success()).then(|| vec!["sudo", "-n", "apt-get"])
}

/// The folder with `kube-apiserver` and `etcd`: `KUBEBUILDER_ASSETS`, or else the cache, where they are built once.
fn api_server() -> Result<PathBuf, Failed> {
    let missing = |folder: &Path| ["kube-apiserver", "etcd"].into_iter().find(|name| !folder.join(name).is_file());
    if let Some(folder) = variable("KUBEBUILDER_ASSETS").map(PathBuf::from) {
        return match missing(&folder) {
            None => Ok(folder),
            Some(name) => Err(Failed(format!("KUBEBUILDER_ASSETS is {}, but there is no `{name}`", folder.display()))),
        };
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
    let Some(cache) = cache else {
        return Err(Failed("neither KUBEBUILDER_ASSETS, XDG_CACHE_HOME nor HOME is set".to_owned()));
    };
    let folder = cache.join("echion").join("kube-assets");
    if missing(&folder.join("bin")).is_some() {
        crate::print(&format!("building an API server into {}, once; this takes some minutes", folder.display()));
        run(Command::new("bash").arg(root().join(".ci/kube-assets.sh")).arg(&folder))?;
    }
    Ok(folder.join("bin"))
}

/// The names of all test binaries but the one with an API server.
fn fast_tests() -> Result<Vec<String>, Failed> {
    let output =
        cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]).stderr(Stdio::inherit()).output();
    let metadata = output.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok());
    let names = test_names(&metadata.unwrap_or_default());
    if names.is_empty() { Err(Failed("cargo metadata names no test".to_owned())) } else { Ok(names) }
}

fn test_names(metadata: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_test = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"));
            let (Some(package), Some(name)) = (package["name"].as_str(), target["name"].as_str()) else { continue };
            if is_test && (package, name) != CLUSTER {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fast_tests_are_all_but_those_with_an_api_server() {
        let target = |kind: &str, name: &str| json!({ "kind": [kind], "name": name });
        let metadata = json!({ "packages": [
            { "name": "echion", "targets": [target("bin", "echion"), target("test", "cluster"), target("test", "it")] },
            { "name": "echion-expr", "targets": [target("lib", "x"), target("test", "it"), target("test", "vectors")] },
        ] });
        assert_eq!(test_names(&metadata), ["it", "vectors"]);
    }
}
