//! Passwords that the services keep, and secrets that they do not know of.

use rgctl_model::kinds::KindId;
use rgctl_schema::time::Span;
use serde_json::json;

use super::refusals::code;
use super::{OTHER, TestCloud, address, in_region};

#[test]
fn the_services_keep_no_password_of_a_member_of_a_global_database() {
    for (kind, global) in
        [(KindId::AuroraCluster, KindId::AuroraGlobal), (KindId::DocumentCluster, KindId::DocumentGlobal)]
    {
        let desk = TestCloud::new(3);
        let (cluster, global) = (address(kind, "main"), address(global, "world"));
        desk.make(&cluster, &json!({ "managed_password": true }));
        let source = json!({ "source": "main" });
        assert_eq!(code(desk.create(&global, &source)), "refused InvalidParameterCombination", "{kind}");
        desk.make(&address(KindId::Secret, "main"), &json!({ "replica_regions": [OTHER] }));
        desk.modify(&cluster, &json!({ "managed_password": false, "master_secret": "main" })).unwrap();
        desk.pass(Span::from_hours(1));
        desk.make(&global, &source);
        let back = desk.modify(&cluster, &json!({ "managed_password": true }));
        assert_eq!(code(back), "refused InvalidParameterCombination", "{kind}");
        let joins = json!({ "managed_password": true, "global": "world" });
        let far = in_region(OTHER, kind, "far");
        assert_eq!(code(desk.create(&far, &joins)), "refused InvalidParameterCombination", "{kind}");
    }
}

#[test]
fn a_secret_has_to_be_there_for_who_reads_it_and_goes_whoever_read_it() {
    let desk = TestCloud::new(3);
    let (cluster, secret) = (address(KindId::AuroraCluster, "main"), address(KindId::Secret, "own"));
    let fields = json!({ "managed_password": false, "master_secret": "own" });
    assert!(desk.create(&cluster, &fields).is_err());
    desk.make(&secret, &json!({ "username": "rgctladmin" }));
    desk.make(&cluster, &fields);
    desk.delete(&secret, None).unwrap();
    desk.pass(Span::from_hours(1));
    assert!(desk.see(&secret).is_none());
}
