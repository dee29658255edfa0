//! Queries about repositories, answered by Argo CD's repo-server.

use std::sync::Arc;

use async_trait::async_trait;
use echion_runtime::RepositoryServer;
use echion_runtime::engine::variables::{AppDetail, CommitMetadata, FileParameter, Helm, Parameter};
use echion_runtime::value::time::Time;
use echion_sources::reposerver::{AppDetails, HelmParameter, RepoServer, RevisionMetadata, Source};

/// The repo-server as the runtime queries it.
pub(crate) struct ArgoRepositoryServer(pub(crate) Arc<RepoServer>);

#[async_trait]
impl RepositoryServer for ArgoRepositoryServer {
    async fn commit(&self, url: &str, project: &str, revision: &str) -> Result<CommitMetadata, String> {
        let commit = self.0.revision_metadata(url, project, revision).await;
        commit.map(commit_metadata).map_err(|error| error.reason)
    }

    async fn details(&self, source: &str, project: &str, app: &str) -> Result<AppDetail, String> {
        let source: Source = serde_json::from_str(source)
            .map_err(|error| format!("the source of the application cannot be used: {error}"))?;
        let details = self.0.app_details(&source, project, app).await.map_err(|error| error.reason)?;
        Ok(app_detail(details, source.helm_parameters()))
    }
}

fn commit_metadata(commit: RevisionMetadata) -> CommitMetadata {
    let date = commit.date.map(|date| Time::from_unix(date.seconds, i64::from(date.nanos)));
    CommitMetadata { message: commit.message, author: commit.author, date: date.unwrap_or_default(), tags: commit.tags }
}

fn app_detail(details: AppDetails, overrides: &[HelmParameter]) -> AppDetail {
    let parameter = |p: HelmParameter| Parameter { name: p.name, value: p.value, force_string: p.force_string };
    let helm = details.helm.map(|helm| Helm {
        name: helm.name,
        value_files: helm.value_files,
        parameters: helm.parameters.into_iter().map(parameter).collect(),
        values: helm.values,
        file_parameters: helm
            .file_parameters
            .into_iter()
            .map(|file| FileParameter { name: file.name, path: file.path })
            .collect(),
        overrides: overrides.iter().cloned().map(parameter).collect(),
    });
    AppDetail {
        source_type: details.source_type,
        helm,
        kustomize: details.kustomize.map(|kustomize| kustomize.images),
        directory: details.directory.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_without_options_overrides_nothing() {
        let source: Source = serde_json::from_str(r#"{"repoURL": "https://g/a", "chart": "c"}"#).unwrap();
        let helm = echion_sources::reposerver::HelmDetails { name: "c".to_owned(), ..Default::default() };
        let details = AppDetails { source_type: "Helm".to_owned(), helm: Some(helm), ..AppDetails::default() };
        let helm = app_detail(details, source.helm_parameters()).helm.unwrap();
        assert_eq!((helm.name.as_str(), helm.overrides.len()), ("c", 0));
    }
}
