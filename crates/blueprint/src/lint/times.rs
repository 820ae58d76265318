//! Calendar and windows.

use super::{LintContext, duplicates};
use crate::families::checks::WINDOW_MIN;
use crate::spec::{CalendarEntry, Repeats};
use rgctl_schema::calendar::Window;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::quantity::{Factor, TimeOfDay};
use rgctl_schema::time::{Moment, Span};

const DAY_MIN: i64 = 24 * 60;

pub(super) fn check(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    let entries = &view.blueprint.spec.calendar;
    // When an entry could not be read, places are off, and findings would point at another.
    if entries.len() == view.elements("spec.calendar").len() {
        for (place, entry) in entries.iter().enumerate() {
            self::entry(view, place, entry, found);
        }
        overlaps(entries, found);
        let names = entries.iter().enumerate();
        duplicates(
            "calendar entry",
            names.map(|(i, e)| (format!("spec.calendar[{i}]"), e.name.as_str())),
            found,
        );
    }
    if let Some(window) = &view.blueprint.spec.policies.maintenance {
        maintenance(window, found);
    }
    for (at, store) in view.stores() {
        let Some(text) = store.common().backup.as_ref().and_then(|backup| backup.window.as_deref()) else {
            continue;
        };
        backup_window(view, text, &format!("{at}.backup.window"), found);
    }
    for (at, store) in view.stores() {
        for (place, pause) in store.pauses().iter().enumerate() {
            if pause.days.is_empty() {
                found.push(
                    Finding::error(
                        codes::OUT_OF_BOUNDS,
                        format!("{at}.pause[{place}].days"),
                        "no day is given",
                    )
                    .help("write for example `days: [sat, sun]`"),
                );
            }
        }
    }
}

fn entry(view: &LintContext<'_>, place: usize, entry: &CalendarEntry, found: &mut Vec<Finding>) {
    let at = format!("spec.calendar[{place}]");
    if entry.repeats.is_none() && entry.starts + entry.lasts <= view.now {
        found.push(
            Finding::warning(codes::PAST, format!("{at}.starts"), format!("`{}` is over", entry.name))
                .label(format!("ended {}", entry.starts + entry.lasts))
                .help("remove it, or add `repeats: yearly`"),
        );
    }
    let period = entry.repeats.map(|repeats| match repeats {
        Repeats::Daily => Span::from_days(1),
        Repeats::Weekly => Span::from_days(7),
        Repeats::Yearly => Span::from_days(365),
    });
    if entry.lasts == Span::ZERO || period.is_some_and(|period| entry.lasts > period) {
        let message = if entry.lasts == Span::ZERO {
            format!("`{}` lasts no time", entry.name)
        } else {
            format!("`{}` begins again before it is over", entry.name)
        };
        found.push(
            Finding::error(codes::OUT_OF_BOUNDS, format!("{at}.lasts"), message)
                .help("write for example `lasts: 6h`"),
        );
    }
    let known = |name: &str| view.cells.iter().any(|cell| cell.name.as_str() == name);
    for (index, cell) in entry.cells.iter().enumerate().filter(|(_, cell)| !known(cell.as_str())) {
        let names: Vec<&str> = view.cells.iter().map(|cell| cell.name.as_str()).collect();
        let help = did_you_mean(cell.as_str(), names.iter().copied()).map_or_else(
            || format!("the cells are: {}", names.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let problem = Finding::error(
            codes::UNKNOWN_STORE,
            format!("{at}.cells[{index}]"),
            format!("there is no cell `{cell}`"),
        );
        found.push(problem.label("unknown cell").help(help));
    }
}

/// Two single entries that raise the demand of the same cell at the same time. Over a repeating one, a single one is
/// meant to stand out.
fn overlaps(entries: &[CalendarEntry], found: &mut Vec<Finding>) {
    let raises = |entry: &CalendarEntry| entry.repeats.is_none() && entry.demand > Factor::ONE;
    for (place, late) in entries.iter().enumerate().filter(|(_, entry)| raises(entry)) {
        let earlier = entries.iter().take(place).filter(|entry| raises(entry));
        let clash = earlier.into_iter().find(|early| {
            early.starts < late.starts + late.lasts
                && late.starts < early.starts + early.lasts
                && share_cell(early, late)
        });
        if let Some(early) = clash {
            let larger = early.demand.max(late.demand);
            found.push(
                Finding::warning(
                    codes::OVERLAP,
                    format!("spec.calendar[{place}]"),
                    format!("`{}` overlaps with `{}`", late.name, early.name),
                )
                .label(format!("the larger of the two counts there: {larger}"))
                .help("if both crowds come at once, write the sum into one entry; otherwise separate them"),
            );
        }
    }
}

fn share_cell(one: &CalendarEntry, other: &CalendarEntry) -> bool {
    one.cells.is_empty() || other.cells.is_empty() || one.cells.iter().any(|cell| other.cells.contains(cell))
}

fn maintenance(window: &Window, found: &mut Vec<Finding>) {
    if window.lasts < WINDOW_MIN || window.lasts > Span::from_days(1) {
        found.push(
            Finding::error(
                codes::WINDOW_TOO_SHORT,
                "spec.policies.maintenance.lasts",
                format!("a window of {} is not accepted", window.lasts),
            )
            .label("from 30m to 1d")
            .help("write for example `lasts: 2h`; a class change of one member takes about 15 minutes"),
        );
    }
}

/// Start and end of `hh:mm-hh:mm` in minutes of the day; the end may lie after midnight.
pub(super) fn daily(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (TimeOfDay::parse(from)?, TimeOfDay::parse(to)?);
    let (from, to) = (i64::from(from.minutes()), i64::from(to.minutes()));
    Some((from, if to <= from { to + DAY_MIN } else { to }))
}

fn backup_window(view: &LintContext<'_>, text: &str, path: &str, found: &mut Vec<Finding>) {
    let Some((from, to)) = daily(text) else {
        found.push(
            Finding::error(codes::BAD_QUANTITY, path, format!("`{text}` is not a daily window"))
                .label("expected `hh:mm-hh:mm`, UTC")
                .help("write for example `window: \"18:00-19:00\"`"),
        );
        return;
    };
    if to - from < 30 {
        found.push(
            Finding::error(codes::WINDOW_TOO_SHORT, path, "the window is shorter than 30 minutes")
                .help("write a window of at least 30 minutes"),
        );
    }
    let Some(window) = &view.blueprint.spec.policies.maintenance else { return };
    if let Some((start, end)) = clash(window, from, to, view.now) {
        found.push(
            Finding::error(
                codes::WINDOW_CLASH,
                path,
                format!("backups at {text} UTC fall into the maintenance window, {start} to {end} UTC"),
            )
            .help("move one of the two; the services refuse an overlap"),
        );
    }
}

/// The maintenance window in UTC, where a daily window overlaps with it. Clocks are changed over the year, so it is
/// looked at in winter and in summer.
fn clash(window: &Window, from: i64, to: i64, now: Moment) -> Option<(String, String)> {
    let lasts = i64::try_from(window.lasts.as_mins()).unwrap_or(DAY_MIN).min(DAY_MIN);
    let rules = window.zone.rules();
    [Span::ZERO, Span::from_days(182)].into_iter().find_map(|later| {
        let at = jiff::Timestamp::from_millisecond((now + later).as_millis()).ok()?;
        let offset = i64::from(rules.to_offset(at).seconds()) / 60;
        let start = (i64::from(window.starts.minutes()) - offset).rem_euclid(DAY_MIN);
        let end = start + lasts;
        let meets = |shift: i64| from + shift < end && start < to + shift;
        // A daily window meets every weekday's window.
        let clock = |minute: i64| format!("{:02}:{:02}", minute.rem_euclid(DAY_MIN) / 60, minute % 60);
        [-DAY_MIN, 0, DAY_MIN].into_iter().any(meets).then(|| (clock(start), clock(end)))
    })
}
