//! The tables of a record's database, and those that an older one is missing.

use rusqlite::{Connection, TransactionBehavior};

use super::{decisions, inbox, memories, records};

const SCHEMA: &str = "
    create table if not exists lines (
        scope text not null, seq integer not null, entry text not null, hash text not null,
        primary key (scope, seq)) without rowid;
    create table if not exists holders (
        scope text primary key, run text not null, owner text not null, epoch integer not null,
        until_ms integer not null, lasts_ms integer not null, renewals integer not null) without rowid;
    create table if not exists store (id text not null);
    insert into store (id) select lower(hex(randomblob(8))) where not exists (select 1 from store);
    create table if not exists places (
        scope text not null, region text not null, primary key (scope, region)) without rowid;
";

/// What `regions_of` finds, for the record of a version that did not keep the regions apart. An address is
/// `region/kind/name`.
const REGIONS_OF_RECORD: &str = "
    insert or ignore into places (scope, region)
    select distinct scope, substr(at, 1, instr(at, '/') - 1)
    from (select scope, entry ->> '$.what.at' as at from lines where entry ->> '$.what.event' = 'intended')
    where at is not null;
";

/// Makes what is missing. A table of regions is made and filled in one go: half of it would be believed.
pub(super) fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    for schema in [inbox::SCHEMA, decisions::SCHEMA, memories::SCHEMA] {
        connection.execute_batch(schema)?;
    }
    let is_new = "select not exists (select 1 from sqlite_schema where name = 'places')";
    if connection.query_row(is_new, [], |row| row.get(0))? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(REGIONS_OF_RECORD)?;
        transaction.commit()?;
    }
    let has_ends = "select exists (select 1 from sqlite_schema where name = 'records')";
    if !connection.query_row(has_ends, [], |row| row.get(0))? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !transaction.query_row(has_ends, [], |row| row.get(0))? {
            transaction.execute_batch(records::SCHEMA)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
