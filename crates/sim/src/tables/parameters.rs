//! Parameters that the services take up at a restart only: by family and name.
//!
//! What is not here takes effect at once, as far as this cloud knows.

/// PostgreSQL documentation, chapter "Server Configuration": "This parameter can only be set at server start."; of extensions
/// the pages of `pg_stat_statements`, `auto_explain` and `pg_cron`; `rds.logical_replication`: Aurora guide, "Setting up logical
/// replication for your Aurora PostgreSQL DB cluster".
const AURORA_POSTGRESQL: &[&str] = &[
    "autovacuum_freeze_max_age",
    "autovacuum_max_workers",
    "autovacuum_multixact_freeze_max_age",
    "cron.database_name",
    "cron.host",
    "cron.log_run",
    "cron.log_statement",
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
    "old_snapshot_threshold",
    "pg_stat_statements.max",
    "rds.logical_replication",
    "shared_buffers",
    "shared_preload_libraries",
    "superuser_reserved_connections",
    "track_activity_query_size",
    "track_commit_timestamp",
    "wal_buffers",
];

/// Aurora guide, "Configuring Aurora MySQL binary logging" and "Using GTID-based replication": both ask for a reboot. The others:
/// MySQL reference manual, "Server System Variable Reference", which calls them not dynamic.
const AURORA_MYSQL: &[&str] = &[
    "back_log",
    "binlog_format",
    "enforce_gtid_consistency",
    "ft_max_word_len",
    "ft_min_word_len",
    "ft_query_expansion_limit",
    "ft_stopword_file",
    "gtid-mode",
    "innodb_ft_cache_size",
    "innodb_ft_max_token_size",
    "innodb_ft_min_token_size",
    "innodb_ft_sort_pll_degree",
    "innodb_ft_total_cache_size",
    "innodb_purge_threads",
    "innodb_read_io_threads",
    "innodb_sort_buffer_size",
    "innodb_sync_array_size",
    "innodb_write_io_threads",
    "max_digest_length",
    "performance_schema",
    "skip_name_resolve",
    "table_open_cache_instances",
];

/// DocumentDB guide, "Amazon DocumentDB cluster parameters reference": of all it calls this one static.
const DOCUMENTDB: &[&str] = &["tls"];

/// Of groups for clusters, and for their members, of Aurora and DocumentDB.
pub(super) fn rds_like(family: &str, name: &str) -> bool {
    let names = match family {
        family if family.starts_with("aurora-postgresql") => AURORA_POSTGRESQL,
        family if family.starts_with("aurora-mysql") => AURORA_MYSQL,
        family if family.starts_with("docdb") => DOCUMENTDB,
        _ => &[],
    };
    names.contains(&name)
}

/// Redshift management guide, "Amazon Redshift parameter groups", and API reference, `ResetClusterParameterGroup`: associated clusters
/// are rebooted for parameters to take effect; properties of the workload management are dynamic in part.
pub(super) fn redshift(_family: &str, name: &str) -> bool {
    name != "wlm_json_configuration"
}
