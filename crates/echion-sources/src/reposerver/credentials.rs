//! How to get into repositories, as Argo CD stores it: Secrets with the label `argocd.argoproj.io/secret-type`, one for each repository,
//! and templates for all whose address begins alike.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};
use kube::{Client, Error};

use super::messages::{HelmOptions, KustomizeOptions, Repository, Source};

const TYPE: &str = "argocd.argoproj.io/secret-type";

/// Argo CD's own configuration.
const ARGO: &str = "argocd-cm";

/// What is known of repositories, and of the tools that read them.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    repositories: Vec<Repository>,
    templates: Vec<Repository>,
    argo: BTreeMap<String, String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} repositories, {} templates", self.repositories.len(), self.templates.len())
    }
}

impl Credentials {
    /// Reads what there is in a namespace, and what could not be read.
    pub(super) async fn read(client: &Client, namespace: &str) -> (Self, Vec<Error>) {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let list = async |kind: &str| secrets.list(&ListParams::default().labels(&format!("{TYPE}={kind}"))).await;
        let (repositories, templates, argo) =
            tokio::join!(list("repository"), list("repo-creds"), config_maps.get_opt(ARGO));
        let mut credentials = Self::default();
        let mut errors = Vec::new();
        match (repositories, templates) {
            (Ok(repositories), Ok(templates)) => {
                credentials.repositories = repositories.items.into_iter().map(repository).collect();
                credentials.templates = templates.items.into_iter().map(repository).collect();
            }
            (Err(error), _) | (_, Err(error)) => errors.push(error),
        }
        match argo {
            Ok(argo) => credentials.argo = argo.and_then(|argo| argo.data).unwrap_or_default(),
            Err(error) => errors.push(error),
        }
        (credentials, errors)
    }

    /// The repository at an address, as a project may use it: its own one first, then one that belongs to no project.
    pub(super) fn repository(&self, url: &str, project: &str) -> Repository {
        let wanted = normalized(url);
        let at = |owner: &str| {
            self.repositories.iter().find(|known| known.project == owner && normalized(&known.repo) == wanted).cloned()
        };
        let own = if project.is_empty() { None } else { at(project) };
        let found =
            own.or_else(|| at("")).unwrap_or_else(|| Repository { repo: url.to_owned(), ..Repository::default() });
        self.with_template(found)
    }

    /// The Helm repositories, where charts find the charts that they depend on.
    pub(super) fn helm_repositories(&self) -> Vec<Repository> {
        self.repositories.iter().filter(|r| r.kind == "helm").map(|r| self.with_template(r.clone())).collect()
    }

    pub(super) fn helm_options(&self) -> HelmOptions {
        let schemes = self.argo.get("helm.valuesFileSchemes").map_or("https,http", String::as_str);
        let schemes = schemes.split(',').map(str::trim).filter(|scheme| !scheme.is_empty());
        HelmOptions { values_file_schemes: schemes.map(str::to_owned).collect() }
    }

    pub(super) fn kustomize_options(&self, source: &Source) -> KustomizeOptions {
        let at = |key: &str| self.argo.get(key).cloned().unwrap_or_default();
        let version = source.kustomize_version();
        if version.is_empty() {
            return KustomizeOptions { build_options: at("kustomize.buildOptions"), binary_path: String::new() };
        }
        let path = [format!("kustomize.path.{version}"), format!("kustomize.version.{version}")];
        let path = path.iter().map(|key| at(key)).find(|path| !path.is_empty()).unwrap_or_default();
        KustomizeOptions { build_options: at(&format!("kustomize.buildOptions.{version}")), binary_path: path }
    }

    /// Takes over what the longest template that fits says, unless the repository has a key of its own.
    fn with_template(&self, mut repository: Repository) -> Repository {
        if has_credentials(&repository) {
            return repository;
        }
        let url = normalized(&repository.repo);
        let fitting = self.templates.iter().filter(|template| url.starts_with(&normalized(&template.repo)));
        let Some(template) = fitting.max_by_key(|template| normalized(&template.repo).len()) else { return repository };
        let fill = |own: &mut String, theirs: &String| {
            if own.is_empty() {
                own.clone_from(theirs);
            }
        };
        fill(&mut repository.username, &template.username);
        fill(&mut repository.password, &template.password);
        fill(&mut repository.bearer_token, &template.bearer_token);
        fill(&mut repository.ssh_private_key, &template.ssh_private_key);
        fill(&mut repository.tls_client_cert_data, &template.tls_client_cert_data);
        fill(&mut repository.tls_client_cert_key, &template.tls_client_cert_key);
        fill(&mut repository.github_app_private_key, &template.github_app_private_key);
        fill(&mut repository.github_app_enterprise_base_url, &template.github_app_enterprise_base_url);
        fill(&mut repository.gcp_service_account_key, &template.gcp_service_account_key);
        fill(&mut repository.proxy, &template.proxy);
        fill(&mut repository.no_proxy, &template.no_proxy);
        if repository.github_app_id == 0 {
            repository.github_app_id = template.github_app_id;
        }
        if repository.github_app_installation_id == 0 {
            repository.github_app_installation_id = template.github_app_installation_id;
        }
        repository.force_http_basic_auth |= template.force_http_basic_auth;
        repository.use_azure_workload_identity |= template.use_azure_workload_identity;
        repository.enable_oci |= template.enable_oci;
        repository.insecure_oci_force_http |= template.insecure_oci_force_http;
        repository.inherited_creds = true;
        repository
    }
}

fn has_credentials(repository: &Repository) -> bool {
    let texts = [
        &repository.username,
        &repository.password,
        &repository.bearer_token,
        &repository.ssh_private_key,
        &repository.tls_client_cert_data,
        &repository.github_app_private_key,
        &repository.gcp_service_account_key,
    ];
    repository.use_azure_workload_identity || texts.iter().any(|text| !text.is_empty())
}

/// A repository, or a template, out of its Secret.
fn repository(secret: Secret) -> Repository {
    let data = secret.data.unwrap_or_default();
    let text = |key: &str| data.get(key).map(|b| String::from_utf8_lossy(&b.0).into_owned()).unwrap_or_default();
    let switch = |key: &str| matches!(text(key).trim(), "1" | "t" | "T" | "true" | "TRUE" | "True");
    let number = |key: &str| text(key).trim().parse().unwrap_or_default();
    Repository {
        repo: text("url"),
        username: text("username"),
        password: text("password"),
        ssh_private_key: text("sshPrivateKey"),
        insecure_ignore_host_key: switch("insecureIgnoreHostKey"),
        insecure: switch("insecure"),
        enable_lfs: switch("enableLfs"),
        tls_client_cert_data: text("tlsClientCertData"),
        tls_client_cert_key: text("tlsClientCertKey"),
        kind: text("type"),
        name: text("name"),
        inherited_creds: false,
        enable_oci: switch("enableOCI"),
        github_app_private_key: text("githubAppPrivateKey"),
        github_app_id: number("githubAppID"),
        github_app_installation_id: number("githubAppInstallationID"),
        github_app_enterprise_base_url: text("githubAppEnterpriseBaseUrl"),
        proxy: text("proxy"),
        project: text("project"),
        gcp_service_account_key: text("gcpServiceAccountKey"),
        force_http_basic_auth: switch("forceHttpBasicAuth"),
        no_proxy: text("noProxy"),
        use_azure_workload_identity: switch("useAzureWorkloadIdentity"),
        bearer_token: text("bearerToken"),
        insecure_oci_force_http: switch("insecureOCIForceHttp"),
    }
}

/// An address in the form in which two that mean the same are equal: without case, `.git`, and the ways to write SSH.
fn normalized(url: &str) -> String {
    let mut url = url.trim().to_lowercase();
    if !url.contains("://")
        && let Some((host, path)) = url.split_once(':')
        && host.contains('@')
    {
        url = format!("{host}/{path}");
    }
    let url = url.strip_prefix("ssh://").unwrap_or(&url);
    let url = url.strip_suffix('/').unwrap_or(url);
    url.strip_suffix(".git").unwrap_or(url).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(fields: &[(&str, &str)]) -> Repository {
        let data =
            fields.iter().map(|(key, value)| ((*key).to_owned(), k8s_openapi::ByteString(value.as_bytes().to_vec())));
        repository(Secret { data: Some(data.collect()), ..Secret::default() })
    }

    #[test]
    fn a_repository_is_found_however_its_address_is_written() {
        for (one, other) in [
            ("https://Git.example.com/Acme/demo.git", "https://git.example.com/acme/demo"),
            ("git@git.example.com:acme/demo.git", "ssh://git@git.example.com/acme/demo"),
            (" https://git.example.com/acme/demo/ ", "https://git.example.com/acme/demo"),
        ] {
            assert_eq!(normalized(one), normalized(other));
        }
        assert_ne!(normalized("https://git.example.com/a"), normalized("https://git.example.com/b"));
    }

    #[test]
    fn a_project_has_its_own_repositories_and_never_those_of_another() {
        let url = "https://git.example.com/acme/demo";
        let credentials = Credentials {
            repositories: vec![
                stored(&[("url", url), ("project", "a"), ("password", "of a")]),
                stored(&[("url", url), ("password", "of all")]),
                stored(&[("url", "https://git.example.com/b"), ("project", "b"), ("password", "of b")]),
            ],
            ..Credentials::default()
        };
        assert_eq!(credentials.repository(url, "a").password, "of a");
        assert_eq!(credentials.repository(url, "b").password, "of all");
        assert_eq!(credentials.repository("https://git.example.com/b", "a").password, "");
    }

    #[test]
    fn the_longest_template_that_fits_helps_repositories_without_a_key() {
        let credentials = Credentials {
            repositories: vec![
                stored(&[("url", "https://g/acme/own"), ("username", "me")]),
                stored(&[("url", "https://g/acme/charts"), ("type", "helm"), ("enableOCI", "true")]),
            ],
            templates: vec![
                stored(&[("url", "https://g"), ("password", "short")]),
                stored(&[("url", "https://g/acme"), ("password", "long"), ("githubAppID", "7")]),
            ],
            ..Credentials::default()
        };
        let found = credentials.repository("https://g/acme/new.git", "default");
        assert_eq!((found.password.as_str(), found.github_app_id, found.inherited_creds), ("long", 7, true));
        assert_eq!(found.repo, "https://g/acme/new.git");
        let own = credentials.repository("https://g/acme/own", "default");
        assert_eq!((own.username.as_str(), own.password.as_str(), own.inherited_creds), ("me", "", false));
        let helm = credentials.helm_repositories();
        assert_eq!((helm.len(), helm[0].password.as_str(), helm[0].enable_oci), (1, "long", true));
        assert!(!format!("{found:?} {credentials:?}").contains("long"));
    }

    #[test]
    fn tools_are_set_up_as_in_argo_cd() {
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut credentials = Credentials::default();
        assert_eq!(credentials.helm_options().values_file_schemes, ["https", "http"]);
        credentials.argo = BTreeMap::from([
            set("helm.valuesFileSchemes", "s3, https"),
            set("kustomize.buildOptions", "--a"),
            set("kustomize.buildOptions.v5", "--b"),
            set("kustomize.path.v5", "/bin/k5"),
        ]);
        assert_eq!(credentials.helm_options().values_file_schemes, ["s3", "https"]);
        let options = |source: &str| credentials.kustomize_options(&serde_json::from_str(source).unwrap());
        assert_eq!(options("{}").build_options, "--a");
        let versioned = options(r#"{"kustomize": {"version": "v5"}}"#);
        assert_eq!((versioned.build_options.as_str(), versioned.binary_path.as_str()), ("--b", "/bin/k5"));
    }
}
