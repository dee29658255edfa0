//! Argo CD's repo-server: what it knows of commits and of an Application's source.

mod client;
mod credentials;
mod messages;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;

pub use client::{Address, RepoServerError};
pub use messages::{
    AppDetails, DirectoryDetails, HelmDetails, HelmFileParameter, HelmParameter, KustomizeDetails, RevisionMetadata,
    Source, Timestamp,
};
pub use tls::{Identity, Trust};

use client::Connection;
use credentials::Credentials;
use messages::{AppDetailsQuery, RevisionMetadataRequest};

/// How long credentials are good for before they are read again.
const FRESH: Duration = Duration::from_secs(30);

/// How long a server that gave no answer is asked only once a question.
const SILENCE: Duration = Duration::from_secs(30);

/// The repo-server, and the Secrets that it is given to get into repositories.
pub struct RepoServer {
    connection: Connection,
    client: Client,
    namespace: String,
    credentials: tokio::sync::Mutex<Option<(Instant, Arc<Credentials>)>>,
    warned: Mutex<bool>,
    silent: Mutex<Option<Instant>>,
}

impl RepoServer {
    /// A handle; nothing is sent yet. Credentials are read in `namespace`.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(address: &Address, client: Client, namespace: &str) -> Result<Self, String> {
        Ok(Self {
            connection: Connection::new(address)?,
            client,
            namespace: namespace.to_owned(),
            credentials: tokio::sync::Mutex::default(),
            warned: Mutex::default(),
            silent: Mutex::default(),
        })
    }

    /// Who made a commit, when, and why.
    ///
    /// # Errors
    /// What the repo-server said, or why it said nothing.
    pub async fn revision_metadata(
        &self,
        url: &str,
        project: &str,
        revision: &str,
    ) -> Result<RevisionMetadata, RepoServerError> {
        let repo = self.credentials().await.repository(url, project);
        let question = RevisionMetadataRequest { repo: Some(repo.clone()), revision: revision.to_owned() };
        let answer = self.ask("/repository.RepoServerService/GetRevisionMetadata", question).await;
        answer.map_err(|error| error.without_secrets(&[repo]))
    }

    /// What a source is.
    ///
    /// # Errors
    /// What the repo-server said, or why it said nothing.
    pub async fn app_details(
        &self,
        source: &Source,
        project: &str,
        app_name: &str,
    ) -> Result<AppDetails, RepoServerError> {
        let credentials = self.credentials().await;
        let repo = credentials.repository(&source.repo_url, project);
        let mut repositories = credentials.helm_repositories();
        let question = AppDetailsQuery {
            repo: Some(repo.clone()),
            source: Some(source.clone()),
            repos: repositories.clone(),
            kustomize_options: Some(credentials.kustomize_options(source)),
            app_name: app_name.to_owned(),
            helm_options: Some(credentials.helm_options()),
        };
        let answer = self.ask("/repository.RepoServerService/GetAppDetails", question).await;
        repositories.push(repo);
        answer.map_err(|error| error.without_secrets(&repositories))
    }

    async fn ask<Q, A>(&self, method: &'static str, question: Q) -> Result<A, RepoServerError>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let silent = |this: &Self| *this.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let hopeless = silent(self).is_some_and(|since| since.elapsed() < SILENCE);
        let answer = self.connection.ask(method, question, hopeless).await;
        let now = matches!(&answer, Err(error) if error.silent).then(Instant::now);
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = now;
        answer
    }

    /// What is known of repositories. Without the right to read it, nothing is: many need no key.
    async fn credentials(&self) -> Arc<Credentials> {
        let mut known = self.credentials.lock().await;
        if let Some((at, credentials)) = &*known
            && at.elapsed() < FRESH
        {
            return Arc::clone(credentials);
        }
        let (read, errors) = Credentials::read(&self.client, &self.namespace).await;
        for error in &errors {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::replace(&mut *warned, true) {
                let reason = crate::kubernetes::reason(error);
                tracing::warn!("repositories are asked for without Argo CD's credentials or settings: {reason}");
            }
        }
        // What was read before is better than half of it.
        let read = match &*known {
            Some((_, before)) if !errors.is_empty() => Arc::clone(before),
            _ => Arc::new(read),
        };
        *known = Some((Instant::now(), Arc::clone(&read)));
        read
    }
}
