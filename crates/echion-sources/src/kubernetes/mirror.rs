//! Writes the state of resources into their annotation.

use async_trait::async_trait;
use echion_model::{ResourceId, StateMirror, Written};
use kube::Client;
use kube::core::Status;
use tokio::time::timeout;

use super::annotation::write_annotation;
use super::kinds::Kinds;
use super::reason;
use super::source::REQUEST_TIMEOUT;

/// Writes one annotation of resources of a cluster.
#[derive(Clone)]
pub struct KubernetesMirror {
    client: Client,
    kinds: Kinds,
    annotation: String,
}

impl KubernetesMirror {
    /// Writes that annotation. `kinds` are those that sources share.
    #[must_use]
    pub fn new(client: Client, kinds: &Kinds, annotation: &str) -> Self {
        Self { client, kinds: kinds.clone(), annotation: annotation.to_owned() }
    }
}

#[async_trait]
impl StateMirror for KubernetesMirror {
    async fn write(&self, id: &ResourceId, uid: &str, annotation: Option<&str>) -> Written {
        let Some(kind) = self.kinds.get(id) else {
            return if self.kinds.may_appear(id) {
                Written::Failed(format!("no object of kind {} has been observed yet", id.kind))
            } else {
                Written::Refused(format!("the kind {} is not watched; watch it with `--resource`", id.kind))
            };
        };
        let write = write_annotation(&self.client, &kind, id, uid, (&self.annotation, annotation));
        match timeout(REQUEST_TIMEOUT, write).await {
            Ok(Ok(())) => Written::Done,
            Ok(Err(error)) => classify(&error),
            Err(_) => Written::Failed("the API server does not answer".to_owned()),
        }
    }
}

fn classify(error: &kube::Error) -> Written {
    let kube::Error::Api(status) = error else { return Written::Failed(reason(error)) };
    match status.code {
        // 409 is the uid: a merge patch of one key conflicts with nothing else.
        404 | 409 => Written::Gone,
        // Custom resources are validated before their uid is compared.
        422 if another_uid(status) => Written::Gone,
        403 => Written::Refused(format!("{}; grant `patch`, or use `--annotations=read`", reason(error))),
        // These concern the client or the moment, not the object.
        401 | 408 | 429 => Written::Failed(reason(error)),
        400..=499 => {
            let hint =
                "the object, or an admission policy, does not allow the annotation; `--annotations=read` writes none";
            Written::Refused(format!("{}; {hint}", reason(error)))
        }
        _ => Written::Failed(reason(error)),
    }
}

fn another_uid(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.causes.iter().any(|cause| cause.field == "metadata.uid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_for_good_differ_from_failures_of_the_moment() {
        let of = |code| classify(&kube::Error::Api(Status::failure("why", "").with_code(code).boxed()));
        for code in [404, 409] {
            assert_eq!(of(code), Written::Gone, "{code}");
        }
        for code in [400, 403, 405, 413, 415, 422, 451] {
            assert!(matches!(of(code), Written::Refused(_)), "{code}");
        }
        for code in [401, 408, 429, 500, 503, 504] {
            assert!(matches!(of(code), Written::Failed(_)), "{code}");
        }
        let forbidden = "the API server forbids it: why; grant `patch`, or use `--annotations=read`";
        assert_eq!(of(403), Written::Refused(forbidden.to_owned()));
        assert!(matches!(classify(&kube::Error::TlsRequired), Written::Failed(_)));
        let causes = r#"{"code": 422, "details": {"causes": [{"field": "metadata.uid"}]}}"#;
        let status: Status = serde_json::from_str(causes).unwrap();
        assert_eq!(classify(&kube::Error::Api(status.boxed())), Written::Gone);
    }
}
