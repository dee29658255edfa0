//! The ledger in SQL. One connection: SQLite has one writer anyway, and every method is short.

mod annotations;
mod file;
mod history;
mod memory;
mod outbox;
mod sql;
mod states;

use std::borrow::Cow;
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use echion_model::{Delivery, DeliveryId, Destination, Intent, LedgerError, Notification, ResourceId, Status};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _, Sqlite, Transaction};

use file::OwnedFile;

/// How long a statement waits for somebody else who holds the file; then the caller decides.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A ledger in an SQLite file, or in memory.
#[derive(Debug)]
pub struct SqlLedger {
    pool: RwLock<SqlitePool>,
    /// The file, for whoever delivers out of it; `None` for readers and in memory.
    owned: Option<tokio::sync::Mutex<OwnedFile>>,
    durable: bool,
}

impl SqlLedger {
    /// Opens the ledger in a file for reading and for small changes, next to a process that delivers out of it.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a ledger.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let what = format!("open the ledger {}", path.display());
        // One that is not there yet is created for its owner only. Closing one that is there would drop locks of this process.
        drop(file::create(path, false));
        let pool = connect(file_options(path), what).await?;
        Ok(Self { pool: RwLock::new(pool), owned: None, durable: true })
    }

    /// Opens the ledger in a file, which is created when it is missing, in order to deliver out of it. The file itself is locked,
    /// whatever path leads to it: a second process is refused.
    ///
    /// # Errors
    /// When the file cannot be opened, is not a ledger, or another process delivers out of it.
    pub async fn own(path: &Path) -> Result<Self, LedgerError> {
        let what = format!("open the ledger {}", path.display());
        let owned = OwnedFile::lock(path)?;
        let pool = connect(file_options(path), what).await?;
        Ok(Self { pool: RwLock::new(pool), owned: Some(tokio::sync::Mutex::new(owned)), durable: true })
    }

    /// A ledger that is gone when the process ends.
    ///
    /// # Errors
    /// When SQLite refuses, which it has no reason to.
    pub async fn in_memory() -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = connect(options, "open a ledger in memory".to_owned()).await?;
        Ok(Self { pool: RwLock::new(pool), owned: None, durable: false })
    }

    fn pool(&self) -> SqlitePool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A transaction that writes. It takes the lock at once: one that reads first could not wait for another process that writes
    /// meanwhile.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let pool = self.pool();
        match pool.begin_with("BEGIN IMMEDIATE").await {
            // When the disk is full, SQLite ends the transaction by itself, and the driver does not notice: such a connection never begins
            // another one. A ledger in memory has but this one, and no disk.
            Err(error) if self.durable && !matches!(error, sqlx::Error::Database(_)) => {
                pool.acquire().await?.close().await?;
                pool.begin_with("BEGIN IMMEDIATE").await
            }
            begun => begun,
        }
    }
}

fn file_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).create_if_missing(true)
}

async fn connect(options: SqliteConnectOptions, what: String) -> Result<SqlitePool, LedgerError> {
    // WAL with full synchronisation: what is committed survives the process and the machine.
    let options =
        options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full).busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .map_err(failed(what.clone()))?;
    let step = |version, name, sql: &'static str| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let steps = vec![
        step(1, "ledger", include_str!("../../migrations/0001_ledger.sql")),
        step(2, "memory", include_str!("../../migrations/0002_memory.sql")),
        step(3, "mirror", include_str!("../../migrations/0003_mirror.sql")),
        step(4, "channels", include_str!("../../migrations/0004_channels.sql")),
        step(5, "memory index", include_str!("../../migrations/0005_memory.sql")),
    ];
    Migrator::with_migrations(steps).run(&pool).await.map_err(failed(what))?;
    Ok(pool)
}

fn failed<E: std::error::Error + Send + Sync + 'static>(what: impl Into<String>) -> impl FnOnce(E) -> LedgerError {
    let what = what.into();
    move |cause| LedgerError { what, cause: Box::new(cause) }
}

fn read_delivery(row: &SqliteRow) -> Result<Delivery, LedgerError> {
    let intent: String = row.get("intent");
    let mut intent: Intent = serde_json::from_str(&intent).map_err(failed("read back a delivery"))?;
    intent.channel = row.get("channel");
    let count = |name: &str| u32::try_from(row.get::<i64, _>(name)).unwrap_or(u32::MAX);
    let resource: String = row.get("resource");
    Ok(Delivery {
        id: DeliveryId(row.get("id")),
        resource: read_resource(&resource)?,
        uid: row.get("uid"),
        intent,
        status: Status::parse(row.get("status")).unwrap_or(Status::Parked),
        attempts: count("attempts"),
        unknown: count("unknown"),
        created: row.get("created"),
        first_attempt: row.get("first_attempt"),
        due: row.get("due"),
        class: row.get("class"),
        detail: row.get("detail"),
        hint: row.get("hint"),
    })
}

/// The same, of a row that somebody has damaged: what its columns still tell.
fn read_damaged(row: &SqliteRow) -> Delivery {
    let text = |name: &str| row.get::<String, _>(name);
    let key = text("resource");
    let [group, kind, namespace] = [const { String::new() }; 3];
    let unknown = || ResourceId { group, kind, namespace, name: key.clone() };
    Delivery {
        id: DeliveryId(text("id")),
        resource: ResourceId::from_key(&key).unwrap_or_else(unknown),
        uid: text("uid"),
        intent: Intent {
            trigger: String::new(),
            condition: String::new(),
            owner: text("owner"),
            state_key: text("state_key"),
            templates: Vec::new(),
            destination: Destination { service: text("service"), recipient: text("recipient") },
            channel: text("channel"),
            notification: Notification::default(),
        },
        status: Status::Parked,
        attempts: 0,
        unknown: 0,
        created: row.get("created"),
        first_attempt: None,
        due: None,
        class: text("class"),
        detail: text("detail"),
        hint: text("hint"),
    }
}

fn read_resource(key: &str) -> Result<ResourceId, LedgerError> {
    ResourceId::from_key(key).ok_or_else(|| LedgerError {
        what: "read back a resource".to_owned(),
        cause: format!("`{key}` is not of the form group/kind/namespace/name").into(),
    })
}

#[cfg(test)]
mod tests {
    use echion_model::{Filter, History as _, Outbox as _, Resource, StateChange, States as _};

    use super::*;

    fn intent(key: &str) -> Intent {
        let notification = Notification { message: key.into(), ..Notification::default() };
        let destination = Destination { service: "s".into(), recipient: String::new() };
        let (trigger, condition, owner, channel) = ("t".into(), "c".into(), String::new(), "s".into());
        let (state_key, templates) = (key.into(), Vec::new());
        Intent { trigger, condition, owner, state_key, templates, destination, channel, notification }
    }

    /// A disk that was full is no reason to fail once there is room again.
    #[tokio::test]
    async fn a_full_disk_is_recovered_from() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqlLedger::own(&folder.path().join("ledger.sqlite")).await.unwrap();
        let record = async |name: &str, size: usize| {
            let (group, kind, namespace) = (String::new(), "K".into(), "n".into());
            let id = ResourceId { group, kind, namespace, name: name.into() };
            let resource = Resource { id, uid: String::new(), object: Default::default() };
            let change = StateChange { set: [(name.to_owned(), 7)].into(), clear: Vec::new() };
            let message = Notification { message: "x".repeat(size), ..Notification::default() };
            ledger.record(&resource, &change, &[Intent { notification: message, ..intent(name) }], 0).await
        };
        // Counts for this connection only, as a disk that is full does for some time.
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&ledger.pool()).await.unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 2));
        sqlx::query(limit).execute(&ledger.pool()).await.unwrap();
        let error = record("a", 1_000_000).await.unwrap_err();
        assert!(error.cause.to_string().contains("full"), "{error:?}");
        assert_eq!(record("b", 1_000_000).await.unwrap().len(), 1);
        assert_eq!(record("a", 10).await.unwrap().len(), 1);
    }

    /// A row that cannot be read is set aside and listed; what is behind it on its channel goes out.
    #[tokio::test]
    async fn a_damaged_row_stops_nothing_else() {
        let ledger = SqlLedger::in_memory().await.unwrap();
        for name in ["damaged", "sound"] {
            let (group, kind, namespace) = (String::new(), "K".into(), "n".into());
            let id = ResourceId { group, kind, namespace, name: name.into() };
            let resource = Resource { id, uid: String::new(), object: Default::default() };
            let change = StateChange { set: [(name.to_owned(), 7)].into(), clear: Vec::new() };
            ledger.record(&resource, &change, &[intent(name)], 0).await.unwrap();
        }
        let damage = "UPDATE delivery SET intent = '{' WHERE resource LIKE '%damaged'";
        sqlx::query(damage).execute(&ledger.pool()).await.unwrap();
        let claimed = ledger.claim(1, "s", 10).await.unwrap();
        assert_eq!(claimed.iter().map(|d| d.intent.state_key.as_str()).collect::<Vec<_>>(), ["sound"]);
        let parked = ledger.list(&Filter { status: Some(Status::Parked), ..Filter::default() }).await.unwrap();
        assert_eq!(parked.len(), 1);
        assert_eq!((parked[0].resource.name.as_str(), parked[0].intent.destination.service.as_str()), ("damaged", "s"));
        assert!(parked[0].detail.starts_with("read back a delivery: "), "{}", parked[0].detail);
    }
}
