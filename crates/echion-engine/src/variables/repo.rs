//! `repo`: what a message can say about the repository of an Application.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use echion_value::time::Time;
use echion_value::{CallError, Func, List, Map, Method, Object, ObjectType, Signature, Str, Type, Value};

use super::address::{Address, query_escape};
use super::text;

/// Where facts about repositories come from.
pub trait Repository: Send + Sync {
    /// Who made a commit, when, and why.
    ///
    /// # Errors
    /// When the Application names no repository, or the repository does not know the commit.
    fn commit_metadata(&self, app: &Value, sha: &str) -> Result<CommitMetadata, String>;

    /// What the sources of an Application are.
    ///
    /// # Errors
    /// When the sources cannot be read.
    fn app_details(&self, app: &Value) -> Result<AppDetail, String>;
}

/// Answers with nothing where a repository has no answer, so that a message goes out without what it would have said about a commit; and
/// keeps the reasons.
pub(crate) struct Forgiving {
    repository: Arc<dyn Repository>,
    reasons: Mutex<Vec<String>>,
}

impl Forgiving {
    pub(crate) fn new(repository: Arc<dyn Repository>) -> Self {
        Self { repository, reasons: Mutex::default() }
    }

    /// Why there was no answer, each reason once.
    pub(crate) fn take_reasons(&self) -> Vec<String> {
        std::mem::take(&mut self.reasons.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn or_nothing<T: Default>(&self, answer: Result<T, String>) -> Result<T, String> {
        answer.or_else(|reason| {
            let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
            Ok(T::default())
        })
    }
}

impl Repository for Forgiving {
    fn commit_metadata(&self, app: &Value, sha: &str) -> Result<CommitMetadata, String> {
        self.or_nothing(self.repository.commit_metadata(app, sha))
    }

    fn app_details(&self, app: &Value) -> Result<AppDetail, String> {
        self.or_nothing(self.repository.app_details(app))
    }
}

/// A commit.
#[derive(Clone, Debug, Default)]
pub struct CommitMetadata {
    /// The whole message.
    pub message: String,
    /// Name and address.
    pub author: String,
    /// When it was made.
    pub date: Time,
    /// Tags that point to it.
    pub tags: Vec<String>,
}

/// What an Application is made of.
#[derive(Clone, Debug, Default)]
pub struct AppDetail {
    /// `Helm`, `Kustomize` or `Directory`.
    pub source_type: String,
    /// The chart, when it is one.
    pub helm: Option<Helm>,
    /// The images of a kustomization, when it is one.
    pub kustomize: Option<Vec<String>>,
    /// Whether it is a directory of manifests.
    pub directory: bool,
}

/// A chart.
#[derive(Clone, Debug, Default)]
pub struct Helm {
    /// The chart's name.
    pub name: String,
    /// Files with values.
    pub value_files: Vec<String>,
    /// Parameters of the chart.
    pub parameters: Vec<Parameter>,
    /// Values as YAML.
    pub values: String,
    /// Parameters that are files.
    pub file_parameters: Vec<FileParameter>,
    /// Parameters that the Application sets.
    pub overrides: Vec<Parameter>,
}

/// A parameter of a chart.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether the value is a string, whatever it looks like.
    pub force_string: bool,
}

/// A parameter whose value is a file.
#[derive(Clone, Debug, Default)]
pub struct FileParameter {
    /// Its name.
    pub name: String,
    /// The file.
    pub path: String,
}

static ONE_TEXT: Signature = Signature::new(&[Type::String], Type::String);
static COMMIT: Signature = Signature::new(&[Type::String], Type::Named("*repo.CommitMetadata"));
static DETAILS: Signature = Signature::new(&[], Type::Named("*repo.AppDetail"));

/// The functions that need no repository.
static ADDRESSES: LazyLock<[(Str, Value); 3]> = LazyLock::new(|| {
    let function = |name: &str, change: fn(&str) -> String| {
        let func = Func::new(&ONE_TEXT, move |args| Ok(Value::from(change(&text(args, 0)?))));
        (Str::from(name), Value::Func(func))
    };
    [
        function("RepoURLToHTTPS", |url| Address::parse(url).https()),
        function("FullNameByRepoURL", |url| Address::parse(url).full_name()),
        function("QueryEscape", query_escape),
    ]
});

/// The members of `repo` for one Application.
#[must_use]
pub fn repo(repository: &Arc<dyn Repository>, app: &Value) -> Map {
    let mut members = ADDRESSES.to_vec();
    let (source, resource) = (repository.clone(), app.clone());
    let commit = Func::new(&COMMIT, move |args| {
        source.commit_metadata(&resource, &text(args, 0)?).map(Value::from).map_err(CallError)
    });
    let (source, resource) = (repository.clone(), app.clone());
    let details = Func::new(&DETAILS, move |_| source.app_details(&resource).map(Value::from).map_err(CallError));
    members.push((Str::from("GetCommitMetadata"), Value::Func(commit)));
    members.push((Str::from("GetAppDetails"), Value::Func(details)));
    Map::of_any(members)
}

/// A struct: its fields' values in the order of its type.
#[derive(Debug)]
struct Record {
    record_type: &'static ObjectType,
    values: Vec<Value>,
}

impl Object for Record {
    fn object_type(&self) -> &'static ObjectType {
        self.record_type
    }

    fn field(&self, name: &str) -> Option<Value> {
        let index = self.record_type.fields.iter().position(|field| *field == name)?;
        self.values.get(index).cloned()
    }
}

/// A struct without tags for JSON.
const fn record_type(name: &'static str, fields: &'static [&'static str]) -> ObjectType {
    tagged_type(name, fields, &[])
}

const fn tagged_type(name: &'static str, fields: &'static [&'static str], tags: &'static [&'static str]) -> ObjectType {
    ObjectType { name, fields, tags, methods: &[] }
}

static COMMIT_METADATA: ObjectType = record_type("repo.CommitMetadata", &["Message", "Author", "Date", "Tags"]);
static APP_DETAIL: ObjectType = record_type("repo.AppDetail", &["Type", "Helm", "Kustomize", "Directory"]);
static KUSTOMIZE: ObjectType = tagged_type("*repo.KustomizeAppSpec", &["Images"], &["images"]);
static DIRECTORY: ObjectType = record_type("*repo.DirectoryAppSpec", &[]);
static HELM_SPEC: ObjectType = tagged_type(
    "repo.HelmAppSpec",
    &["Name", "ValueFiles", "Parameters", "Values", "FileParameters"],
    &["name", "valueFiles", "parameters", "values", "fileParameters"],
);
const PARAMETER_FIELDS: &[&str] = &["Name", "Value", "ForceString"];
const PARAMETER_TAGS: &[&str] = &["name", "value", "forceString"];
static PARAMETER: ObjectType = tagged_type("*repo.HelmParameter", PARAMETER_FIELDS, PARAMETER_TAGS);
static OVERRIDE: ObjectType = tagged_type("repo.HelmParameter", PARAMETER_FIELDS, PARAMETER_TAGS);
static FILE_PARAMETER: ObjectType = tagged_type("*repo.HelmFileParameter", &["Name", "Path"], &["name", "path"]);
static HELM: ObjectType = ObjectType {
    name: "*repo.CustomHelmAppSpec",
    fields: &["HelmAppSpec", "HelmParameterOverrides"],
    tags: &[],
    methods: &[
        Method {
            name: "GetFileParameterPathByName",
            signature: Signature::new(&[Type::String], Type::String),
            call: |helm, args| Ok(find_named(&field(&field(helm, "HelmAppSpec"), "FileParameters"), args, "Path")),
        },
        Method {
            name: "GetParameterValueByName",
            signature: Signature::new(&[Type::String], Type::String),
            call: |helm, args| {
                let found = find_named(&field(helm, "HelmParameterOverrides"), args, "Value");
                if found.as_str() != Some("") {
                    return Ok(found);
                }
                Ok(find_named(&field(&field(helm, "HelmAppSpec"), "Parameters"), args, "Value"))
            },
        },
    ],
};

fn field(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(object) => object.field(name).unwrap_or_default(),
        _ => Value::Nil,
    }
}

/// What the entry with the asked name holds, or the empty text.
fn find_named(entries: &Value, args: &[Value], what: &str) -> Value {
    let wanted = args.first().and_then(Value::as_str);
    let entries = entries.as_list().map(List::items).unwrap_or_default();
    let found = entries.iter().find(|entry| field(entry, "Name").as_str() == wanted);
    found.map_or_else(|| Value::from(""), |entry| field(entry, what))
}

fn record(record_type: &'static ObjectType, values: Vec<Value>) -> Value {
    Value::Object(Arc::new(Record { record_type, values }))
}

fn texts(items: Vec<String>) -> Value {
    Value::List(List::of_strings(items))
}

fn records(of: &'static Type, items: Vec<Value>) -> Value {
    Value::List(List::new(Type::List(of), items))
}

impl From<CommitMetadata> for Value {
    fn from(commit: CommitMetadata) -> Self {
        let values =
            vec![commit.message.into(), commit.author.into(), Value::Time(Arc::new(commit.date)), texts(commit.tags)];
        record(&COMMIT_METADATA, values)
    }
}

impl From<AppDetail> for Value {
    fn from(details: AppDetail) -> Self {
        let helm = details.helm.map_or(Value::NilPointer(HELM.name), Value::from);
        let kustomize = match details.kustomize {
            Some(images) => record(&KUSTOMIZE, vec![texts(images)]),
            None => Value::NilPointer(KUSTOMIZE.name),
        };
        let directory =
            if details.directory { record(&DIRECTORY, Vec::new()) } else { Value::NilPointer(DIRECTORY.name) };
        record(&APP_DETAIL, vec![details.source_type.into(), helm, kustomize, directory])
    }
}

impl From<Helm> for Value {
    fn from(helm: Helm) -> Self {
        const PARAMETERS: &Type = &Type::Named("*repo.HelmParameter");
        const OVERRIDES: &Type = &Type::Named("repo.HelmParameter");
        const FILES: &Type = &Type::Named("*repo.HelmFileParameter");
        let parameter =
            |record_type, p: Parameter| record(record_type, vec![p.name.into(), p.value.into(), p.force_string.into()]);
        let parameters = helm.parameters.into_iter().map(|p| parameter(&PARAMETER, p)).collect();
        let overrides = helm.overrides.into_iter().map(|p| parameter(&OVERRIDE, p)).collect();
        let files = helm.file_parameters.into_iter();
        let files = files.map(|f| record(&FILE_PARAMETER, vec![f.name.into(), f.path.into()])).collect();
        let spec = vec![
            helm.name.into(),
            texts(helm.value_files),
            records(PARAMETERS, parameters),
            helm.values.into(),
            records(FILES, files),
        ];
        record(&HELM, vec![record(&HELM_SPEC, spec), records(OVERRIDES, overrides)])
    }
}
