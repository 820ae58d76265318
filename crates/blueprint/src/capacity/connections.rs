//! How many connections one member of a database takes, as the service computes it.
//!
//! **Invariant:** a machine with more memory takes at least as many.

/// What decides the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionLimit {
    /// Aurora MySQL: 1,000 at 16 GiB and 1,000 more at each doubling. Smaller machines take 45 at each doubling. No value
    /// above 16,000 is taken. Source: Aurora guide, "Maximum connections to an Aurora MySQL DB instance".
    AuroraMysql,
    /// Aurora PostgreSQL: memory of the class ÷ 9,531,392 bytes, at most 5,000. Source: Aurora guide, "Maximum connections to an Aurora
    /// PostgreSQL DB instance".
    AuroraPostgresql,
    /// Aurora PostgreSQL whose capacity may fall to half a unit or to zero: at most 2,000. Source: Aurora guide, "Maximum
    /// connections for Aurora Serverless v2".
    AuroraPostgresqlThatRests,
    /// DocumentDB. Source: developer guide, "Instance limits", the column of all connections.
    DocumentDb,
    /// DocumentDB serverless: 500 a unit of capacity. Source: developer guide, "Serverless instance limits".
    DocumentDbServerless,
    /// DocumentDB serverless whose capacity may fall to one unit or less: fewer of its connections work at a time. Source:
    /// as before.
    DocumentDbServerlessThatRests,
}

/// Memory in GiB, and what a machine of at least that memory takes.
type Steps = [(f64, f64)];

/// All connections of a DocumentDB instance, by its memory: large, xlarge, 2xlarge, 4xlarge, 8xlarge and above.
const DOCUMENT_OPEN: &Steps =
    &[(16.0, 3_400.0), (32.0, 7_000.0), (64.0, 14_200.0), (128.0, 28_400.0), (256.0, 60_000.0)];
/// Connections of it that work at the same time.
const DOCUMENT_ACTIVE: &Steps = &[
    (1.0, 39.0),
    (2.0, 79.0),
    (3.0, 124.0),
    (4.0, 173.0),
    (8.0, 416.0),
    (16.0, 1_071.0),
    (32.0, 2_709.0),
    (64.0, 4_500.0),
];
const AURORA_MYSQL_MAX: f64 = 16_000.0;
const AURORA_POSTGRESQL_MAX: f64 = 5_000.0;
const AURORA_POSTGRESQL_RESTING_MAX: f64 = 2_000.0;
const DOCUMENT_MAX: f64 = 60_000.0;
const DOCUMENT_RESTING_ACTIVE_MAX: f64 = 1_550.0;
/// Bytes of memory for each connection of Aurora PostgreSQL.
const POSTGRESQL_BYTES: f64 = 9_531_392.0;
const BYTES_PER_GIB: f64 = 1_073_741_824.0;
/// Part of a machine's memory that the service counts as the class's: it keeps the rest for itself. The least that follows from
/// published answers, 189 connections at 2 GiB to 1,697 at 16 GiB; the guide gives the formula alone.
const POSTGRESQL_COUNTED: f64 = 0.84;

impl ConnectionLimit {
    /// Connections that a member with so much memory keeps open.
    pub(super) fn open(self, memory_gib: f64) -> f64 {
        match self {
            Self::AuroraMysql => {
                let large = 1_000.0 * (memory_gib / 8.0).log2();
                let small = 45.0 * memory_gib.log2();
                large.max(small).clamp(0.0, AURORA_MYSQL_MAX).floor()
            }
            Self::AuroraPostgresql => postgresql(memory_gib, AURORA_POSTGRESQL_MAX),
            Self::AuroraPostgresqlThatRests => postgresql(memory_gib, AURORA_POSTGRESQL_RESTING_MAX),
            Self::DocumentDb => step(DOCUMENT_OPEN, memory_gib),
            Self::DocumentDbServerless | Self::DocumentDbServerlessThatRests => {
                (memory_gib * 250.0).clamp(0.0, DOCUMENT_MAX).floor()
            }
        }
    }

    /// Whether fewer of them work at a time than are open.
    pub(super) const fn bounds_work(self) -> bool {
        match self {
            Self::AuroraMysql | Self::AuroraPostgresql | Self::AuroraPostgresqlThatRests => false,
            Self::DocumentDb | Self::DocumentDbServerless | Self::DocumentDbServerlessThatRests => true,
        }
    }

    /// Connections of them that it serves at the same time.
    pub(super) fn active(self, memory_gib: f64) -> f64 {
        let documents = || step(DOCUMENT_ACTIVE, memory_gib);
        match self {
            Self::AuroraMysql | Self::AuroraPostgresql | Self::AuroraPostgresqlThatRests => {
                self.open(memory_gib)
            }
            Self::DocumentDb | Self::DocumentDbServerless => documents(),
            Self::DocumentDbServerlessThatRests => documents().min(DOCUMENT_RESTING_ACTIVE_MAX),
        }
    }
}

fn postgresql(memory_gib: f64, most: f64) -> f64 {
    (memory_gib * POSTGRESQL_COUNTED * BYTES_PER_GIB / POSTGRESQL_BYTES).clamp(0.0, most).floor()
}

/// The step that the memory reaches; below the first one in proportion to it.
fn step(steps: &Steps, memory_gib: f64) -> f64 {
    let (least, first) = steps[0];
    if memory_gib < least {
        return (first * memory_gib.max(0.0) / least).floor();
    }
    steps.iter().rev().find(|(memory, _)| memory_gib >= *memory).map_or(first, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::ConnectionLimit as Limit;

    #[test]
    fn the_numbers_are_those_of_the_guides() {
        for (limit, memory, number) in [
            (Limit::AuroraMysql, 2.0, 45.0),
            (Limit::AuroraMysql, 4.0, 90.0),
            (Limit::AuroraMysql, 8.0, 135.0),
            (Limit::AuroraMysql, 16.0, 1_000.0),
            (Limit::AuroraMysql, 32.0, 2_000.0),
            (Limit::AuroraMysql, 256.0, 5_000.0),
            (Limit::AuroraMysql, 512.0, 6_000.0),
            (Limit::AuroraPostgresql, 64.0, 5_000.0),
            (Limit::AuroraPostgresql, 1_536.0, 5_000.0),
            (Limit::AuroraPostgresqlThatRests, 2.0, 189.0),
            (Limit::AuroraPostgresqlThatRests, 32.0, 2_000.0),
            (Limit::DocumentDb, 16.0, 3_400.0),
            (Limit::DocumentDb, 32.0, 7_000.0),
            (Limit::DocumentDb, 64.0, 14_200.0),
            (Limit::DocumentDb, 128.0, 28_400.0),
            (Limit::DocumentDb, 256.0, 60_000.0),
            (Limit::DocumentDb, 1_536.0, 60_000.0),
            (Limit::DocumentDbServerless, 1.0, 250.0),
            (Limit::DocumentDbServerless, 32.0, 8_000.0),
            (Limit::DocumentDbServerless, 512.0, 60_000.0),
        ] {
            assert_eq!(limit.open(memory).to_bits(), f64::to_bits(number), "{limit:?} with {memory} GiB");
        }
        for (limit, memory, number) in [
            (Limit::DocumentDbServerless, 1.0, 39.0),
            (Limit::DocumentDbServerless, 2.0, 79.0),
            (Limit::DocumentDbServerless, 3.0, 124.0),
            (Limit::DocumentDb, 16.0, 1_071.0),
            (Limit::DocumentDb, 64.0, 4_500.0),
            (Limit::DocumentDb, 1_536.0, 4_500.0),
            (Limit::DocumentDbServerlessThatRests, 8.0, 416.0),
            (Limit::DocumentDbServerlessThatRests, 512.0, 1_550.0),
        ] {
            assert_eq!(limit.active(memory).to_bits(), f64::to_bits(number), "{limit:?} with {memory} GiB");
        }
    }

    #[test]
    fn of_postgresql_no_more_is_counted_than_any_published_answer() {
        for (memory, answer) in
            [(2.0, 189.0), (8.0, 823.0), (16.0, 1_697.0), (32.0, 3_201.0), (64.0, 5_000.0)]
        {
            let counted = Limit::AuroraPostgresql.open(memory);
            assert!(
                counted <= answer && counted > answer * 0.85,
                "{memory} GiB: {counted}, answered {answer}"
            );
        }
    }

    #[test]
    fn more_memory_never_takes_fewer() {
        for limit in [
            Limit::AuroraMysql,
            Limit::AuroraPostgresql,
            Limit::AuroraPostgresqlThatRests,
            Limit::DocumentDb,
            Limit::DocumentDbServerless,
            Limit::DocumentDbServerlessThatRests,
        ] {
            let sizes = (1..4_000).map(|half| f64::from(half) / 2.0);
            for number in [Limit::open, Limit::active] {
                let mut last = 0.0;
                for memory in sizes.clone() {
                    let now = number(limit, memory);
                    assert!(
                        now >= last && now.is_finite(),
                        "{limit:?} with {memory} GiB: {now} after {last}"
                    );
                    last = now;
                }
            }
        }
    }
}
