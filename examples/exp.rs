use rayon::prelude::*;
use rgctl::scaling::{evaluate::*, *};
use rgctl::telemetry::*;
use std::sync::Arc;
fn set(c: &mut constants::Constants, k: &str, v: f64) {
    match k {
        "half_life_days" => c.half_life_days = v,
        "neighbour" => c.neighbour = v,
        "prior" => c.prior_minutes = v,
        "groups" => c.groups = v as usize,
        "aim" => c.aim = v,
        "hard_share" => c.hard_share = v,
        "horizon" => c.horizon_days = v,
        "rs" => c.reserve_soft = v,
        "rh" => c.reserve_hard = v,
        "rmin" => c.rate_min = v,
        "rmax" => c.rate_max = v,
        "yd" => c.young_days = v,
        "yf" => c.young_factor = v,
        "rb" => c.record_bank = v,
        "ag" => c.aim_gain = v,
        "hl2" => c.half_life_long = v,
        "panic" => c.rise_minutes = v,
        "rf" => c.rise_from = v,
        "rday" => c.rise_day = v,
        "rfac" => c.rise_factor = v,
        "ys" => c.young_spread = v,
        _ => panic!("{k}"),
    }
}
fn main() {
    let lib = Arc::new(rules::Library::full());
    let args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|a| a == "-v");
    let files: Vec<&String> = args.iter().filter(|a| a.contains(".csv")).collect();
    let variants: Vec<&String> = args.iter().filter(|a| !a.contains(".csv") && *a != "-v").collect();
    let mut loads = vec![];
    for f in &files {
        let (path, cut) = match f.split_once('@') {
            Some((a, b)) => (a.to_string(), Some(telemetry_cut(b))),
            None => (f.to_string(), None),
        };
        let tr = Trace::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().within(None, cut);
        let s = MinuteSeries::from_trace(&tr);
        for n in [15u32, 100] {
            let d = s.in_units(n, 0.8).unwrap();
            let sf = s.scored_from();
            let cache = format!("/tmp/exp/opt_{}_{}", path.rsplit('/').next().unwrap(), n);
            let opt: f64 = match std::fs::read_to_string(&cache) {
                Ok(t) => t.parse().unwrap(),
                _ => {
                    let o = optimum::optimum(
                        &d[sf..],
                        0.8,
                        (0.001 * (d.len() - sf) as f64) as u64,
                        optimum::OptimumRules { units: n, warm_minutes: 3, block_minutes: 1 },
                    );
                    std::fs::write(&cache, o.cost.to_string()).unwrap();
                    o.cost
                }
            };
            loads.push((path.rsplit('/').next().unwrap().to_string(), n, d, sf, opt));
        }
    }
    for v in &variants {
        let mut c = constants::Constants::FROZEN;
        if v.as_str() != "base" {
            for kv in v.split(',') {
                let (k, x) = kv.split_once('=').unwrap();
                set(&mut c, k, x.parse().unwrap());
            }
        }
        let res: Vec<_> = loads
            .par_iter()
            .map(|(name, n, d, sf, opt)| {
                let terms = Terms { axis: axis::AxisProfile::READER, units: *n, rho: 0.8, budget: 0.001 };
                let mut p = policy::ShadowPolicy::new(&terms, lib.clone(), c);
                let r = live(&mut p, d, *sf, d.len(), &terms);
                (
                    name.clone(),
                    *n,
                    r.cost / opt,
                    *n as f64 * (d.len() - sf) as f64 / opt,
                    r.soft_share(),
                    r.hard_share(),
                    r.keeps(0.001),
                    r.longest_run,
                )
            })
            .collect();
        for n in [15u32, 100] {
            let mut lg = 0.0;
            let mut raw = 0.0;
            let mut k = 0.0;
            let mut kept = 0;
            let mut ws = 0.0f64;
            let mut wh = 0.0f64;
            let mut miss = vec![];
            let mut sea = 0.0;
            for r in res.iter().filter(|r| r.1 == n) {
                k += 1.0;
                raw += r.2.ln();
                if r.6 {
                    kept += 1;
                    lg += r.2.ln()
                } else {
                    lg += r.3.ln();
                    miss.push(format!("{}({:.3}/{:.3})", r.0, 100. * r.4, 100. * r.5))
                }
                ws = ws.max(r.4);
                wh = wh.max(r.5);
                if ["osrs", "hypixel_players", "taxi", "azure_v2", "google2019"]
                    .iter()
                    .any(|s| r.0.contains(s))
                {
                    sea += r.2.ln()
                }
                if verbose {
                    println!(
                        "   {:34} N{} ratio {:.3} soft {:.4} hard {:.4} run {} {}",
                        r.0,
                        n,
                        r.2,
                        100. * r.4,
                        100. * r.5,
                        r.7,
                        if r.6 { "" } else { "MISS" }
                    );
                }
            }
            println!(
                "{v} N={n}: kept {kept} geo {:.4} raw {:.4} sea {:.4} soft {:.3} hard {:.3} {miss:?}",
                (lg / k as f64).exp(),
                (raw / k as f64).exp(),
                (sea / 5.0 as f64).exp(),
                100. * ws,
                100. * wh
            );
        }
    }
}
fn telemetry_cut(b: &str) -> rgctl::vocabulary::time::Moment {
    rgctl::telemetry::trace::read_stamp(b).unwrap().0
}
