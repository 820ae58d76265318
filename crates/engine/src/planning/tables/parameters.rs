//! Parameters that take effect only when what uses their group restarts, as far as that is published. Of any other one the
//! service tells it when it was changed: then the restart is in the next plan.

use super::row::KindRow;
use super::shared::PLAIN;

/// Groups for clusters of Aurora and DocumentDB, and for members of Aurora's.
pub(super) const RDS_LIKE: KindRow = KindRow { at_restart: of_databases, ..PLAIN };
/// Groups for Redshift clusters.
pub(super) const REDSHIFT: KindRow = KindRow { at_restart: of_warehouses, ..PLAIN };

/// Source: PostgreSQL's `pg_settings` of context `postmaster`, as far as Aurora lets them be set.
const POSTGRESQL: [&str; 22] = [
    "autovacuum_freeze_max_age",
    "autovacuum_max_workers",
    "autovacuum_multixact_freeze_max_age",
    "cron.database_name",
    "cron.max_running_jobs",
    "cron.use_background_workers",
    "huge_pages",
    "max_connections",
    "max_files_per_process",
    "max_locks_per_transaction",
    "max_logical_replication_workers",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "pg_stat_statements.max",
    "rds.logical_replication",
    "shared_buffers",
    "shared_preload_libraries",
    "track_activity_query_size",
    "track_commit_timestamp",
];

/// Source: Aurora guide on binary logging and on global transaction identifiers; MySQL reference manual, variables that are
/// not dynamic.
const MYSQL: [&str; 13] = [
    "back_log",
    "binlog_format",
    "enforce_gtid_consistency",
    "ft_max_word_len",
    "ft_min_word_len",
    "gtid-mode",
    "innodb_ft_max_token_size",
    "innodb_ft_min_token_size",
    "innodb_read_io_threads",
    "innodb_write_io_threads",
    "performance_schema",
    "skip_name_resolve",
    "table_open_cache_instances",
];

fn of_databases(family: &str, name: &str) -> bool {
    if family.starts_with("aurora-postgresql") {
        POSTGRESQL.contains(&name)
    } else if family.starts_with("aurora-mysql") {
        MYSQL.contains(&name)
    } else {
        // DocumentDB guide, "Amazon DocumentDB cluster parameters reference".
        family.starts_with("docdb") && name == "tls"
    }
}

/// Redshift management guide, "Amazon Redshift parameter groups": what describes the queues is dynamic in part.
fn of_warehouses(_family: &str, name: &str) -> bool {
    name != "wlm_json_configuration"
}
