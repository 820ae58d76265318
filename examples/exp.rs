use rgctl::telemetry::*; use rgctl::scaling::{*,evaluate::*}; use std::sync::Arc;
struct P{m:memory::Memory}
impl Policy for P{ fn target(&mut self,v:&View<'_>)->u32{ if v.known.len()>self.m.samples(){ self.m.learn(*v.known.last().unwrap(), v.served);} self.m.required().units } fn begin(&mut self,p:&[f64])->Option<u32>{ for d in p{self.m.learn(*d,None);} None } }
fn main(){
 let n:u32=std::env::args().nth(1).unwrap().parse().unwrap();
 let lib=Arc::new(rules::Library::full());
 let mut lg=0.0; let mut raw=0.0; let mut st=vec![];
 for f in std::env::args().skip(2){
  let (path,cut)=match f.split_once('@'){Some((a,b))=>(a.to_string(),Some(telemetry_cut(b))),None=>(f.clone(),None)};
  let tr=Trace::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().within(None,cut);
  let s=MinuteSeries::from_trace(&tr); let d=s.in_units(n,0.8).unwrap(); let sf=s.scored_from();
  let terms=Terms{axis:axis::AxisProfile::READER,units:n,rho:0.8,budget:0.001};
  let t=(d.len()-sf) as f64;
  let t0=std::time::Instant::now();
  let o=optimum::optimum(&d[sf..],0.8,(0.001*t) as u64,optimum::OptimumRules{units:n,warm_minutes:3,block_minutes:1});
  let t1=t0.elapsed();
  let mut p=P{m:memory::Memory::new(terms.axis,n,0.001,lib.clone(),constants::Constants::FROZEN)};
  let r=live(&mut p,&d,sf,d.len(),&terms);
  let t2=t0.elapsed();
  let stat=n as f64*t/o.cost; st.push(stat);
  let ratio=r.cost/o.cost; raw+=ratio.ln(); lg+= if r.keeps(0.001){ratio.ln()}else{stat.ln()};
  println!("{:40} static {:.3} opt viol {} | ratio {:.3} soft {:.4}% hard {:.4}% {} | {:?} {:?} min {}", path.rsplit('/').next().unwrap(), stat, o.violations, ratio, 100.*r.soft_share(),100.*r.hard_share(), if r.keeps(0.001){""}else{"MISS"}, t1,t2-t1,d.len());
 }
 let k=st.len() as f64; st.sort_by(f64::total_cmp);
 println!("geo {:.4} raw {:.4} static median {:.3} mean {:.3} max {:.3}",(lg/k).exp(),(raw/k).exp(),(st[st.len()/2-1]+st[st.len()/2])/2.,st.iter().sum::<f64>()/k,st[st.len()-1]);
}
fn telemetry_cut(b:&str)->rgctl::vocabulary::time::Moment{ rgctl::telemetry::trace::read_stamp(b).unwrap().0 }
