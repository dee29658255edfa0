//! The answers of a repository as a case gives them.

use echion_value::Value;
use echion_value::time::{self, Time};
use serde_json::Value as Json;

use crate::variables::{AppDetail, CommitMetadata, FileParameter, Helm, Parameter, Repository};

/// Commits and details from the `repo` field of a case.
pub(super) struct Canned(Json);

impl Canned {
    pub(super) fn new(repo: Option<&Json>) -> Self {
        Self(repo.cloned().unwrap_or_default())
    }
}

impl Repository for Canned {
    fn commit_metadata(&self, app: &Value, sha: &str) -> Result<CommitMetadata, String> {
        check(app)?;
        let commit = self.0.pointer("/commits").and_then(|commits| commits.get(sha));
        let commit = commit.ok_or_else(|| format!("stub: no metadata for commit {sha}"))?;
        Ok(CommitMetadata {
            message: text(commit, "Message"),
            author: text(commit, "Author"),
            date: date(&text(commit, "Date")),
            tags: texts(commit, "Tags"),
        })
    }

    fn app_details(&self, app: &Value) -> Result<AppDetail, String> {
        check(app)?;
        let details = self.0.get("appDetails").filter(|d| !d.is_null()).ok_or("stub: no application details")?;
        Ok(AppDetail {
            source_type: text(details, "Type"),
            helm: details.get("Helm").filter(|helm| !helm.is_null()).map(helm),
            kustomize: details.get("Kustomize").filter(|k| !k.is_null()).map(|k| texts(k, "Images")),
            directory: details.get("Directory").is_some_and(|d| !d.is_null()),
        })
    }
}

fn check(app: &Value) -> Result<(), String> {
    let found = |path: &[&str]| app.at(path).is_some_and(|value| matches!(value, Value::Str(_)));
    if !found(&["spec", "source", "repoURL"]) {
        return Err("failed to get application source repo URL".to_owned());
    }
    if !found(&["spec", "project"]) {
        return Err("failed to get application project".to_owned());
    }
    Ok(())
}

fn text(json: &Json, key: &str) -> String {
    json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn list<T>(json: &Json, key: &str, item: impl Fn(&Json) -> T) -> Vec<T> {
    json.get(key).and_then(Json::as_array).into_iter().flatten().map(item).collect()
}

fn texts(json: &Json, key: &str) -> Vec<String> {
    list(json, key, |item| item.as_str().unwrap_or_default().to_owned())
}

/// A time as cases write it; the zero time when it is none.
pub(super) fn date(text: &str) -> Time {
    time::parse(time::RFC3339, text).unwrap_or_default()
}

fn helm(json: &Json) -> Helm {
    let parameter = |json: &Json| Parameter {
        name: text(json, "Name"),
        value: text(json, "Value"),
        force_string: json.get("ForceString").and_then(Json::as_bool).unwrap_or_default(),
    };
    let spec = json.get("HelmAppSpec").cloned().unwrap_or_default();
    Helm {
        name: text(&spec, "Name"),
        value_files: texts(&spec, "ValueFiles"),
        parameters: list(&spec, "Parameters", parameter),
        values: text(&spec, "Values"),
        file_parameters: list(&spec, "FileParameters", |file| FileParameter {
            name: text(file, "Name"),
            path: text(file, "Path"),
        }),
        overrides: list(json, "HelmParameterOverrides", parameter),
    }
}
